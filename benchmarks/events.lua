-- wrk: ten Purchases a request, each with an event id of its own, as a dispatcher would send them.
local thread_number, sent, path, head, tail = 0, 0, os.getenv("BENCH_PATH"), {}, ""
function setup(thread) thread:set("number", thread_number); thread_number = thread_number + 1 end
function init()
  local template = os.getenv("BENCH_EVENT")
  local at = template:find("@ID@", 1, true)
  before, after = template:sub(1, at - 1), template:sub(at + 4)
  headers = { ["Content-Type"] = "application/json" }
  prefix = os.getenv("BENCH_ROUND") .. "-" .. number .. "-"
  rest = '],"access_token":"' .. os.getenv("BENCH_TOKEN") .. '"}'
end
function request()
  sent = sent + 1
  local parts = {}
  for i = 1, 10 do parts[i] = before .. prefix .. sent .. "-" .. i .. after end
  return wrk.format("POST", path, headers, '{"data":[' .. table.concat(parts, ",") .. rest)
end
function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(95)))
end
