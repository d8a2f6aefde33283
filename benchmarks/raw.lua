-- wrk: sends the requests of a file, one after the other, each once. The file: for each a length (4 bytes, big endian)
-- and so many bytes of HTTP. When it is used up, the same sales come again, which the numbers would show as an error.
local at, data, wanted = 1, nil, nil
function init()
  local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
  data = file:read("*a")
  file:close()
  at = tonumber(os.getenv("BENCH_SKIP")) + 1
end
function request()
  if at > #data then wrk.thread:stop() return "GET /used-up HTTP/1.1\r\nHost: x\r\n\r\n" end
  local a, b, c, d = data:byte(at, at + 3)
  local size = ((a * 256 + b) * 256 + c) * 256 + d
  local found = data:sub(at + 4, at + 3 + size)
  at = at + 4 + size
  return found
end
local refused = 0
function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(95)))
end
