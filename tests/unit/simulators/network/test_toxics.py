"""The proxy, over real sockets: each toxic does what its name says, and is gone when it is taken away."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from simulators.network.addresses import Address, BadAddress
from simulators.network.connection import HELD_LIMIT_BYTES, Connection
from simulators.network.proxy import NameTaken, Proxy, Unknown, Wish
from simulators.network.toxics import TOXICS, BadToxic
from tests.rows import each_row

LIMIT_S = 20
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


#: What a test has dialled; hung up when it ends.
dialled: list[asyncio.StreamWriter] = []


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                await work
        finally:
            while dialled:
                writer = dialled.pop()
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the fakes are served
        runner.run(limited())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxied(
    handler: Handler = echo, *, listen: str = "tcp:127.0.0.1:0", unix_upstream: Path | None = None
) -> AsyncIterator[Proxy]:
    if unix_upstream:
        server: asyncio.Server = await asyncio.start_unix_server(handler, str(unix_upstream))
        upstream = f"unix:{unix_upstream}"
    else:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        upstream = f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    proxy = Proxy("p", listen=Address.parse(listen), upstream=Address.parse(upstream))
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        server.close()


async def dial(proxy: Proxy) -> Streams:
    if proxy.listen.path:
        streams = await asyncio.open_unix_connection(proxy.listen.path)
    else:
        streams = await asyncio.open_connection(proxy.listen.host, proxy.listen.port)
    dialled.append(streams[1])
    return streams


async def say(streams: Streams, data: bytes) -> bytes:
    """Send, and read as much again."""
    streams[1].write(data)
    return await streams[0].readexactly(len(data))


async def until(fact: Callable[[], bool], goal: str) -> None:
    async with asyncio.timeout(5):
        while not fact():
            await asyncio.sleep(0.005)
    assert fact(), goal


def now() -> float:
    return asyncio.get_running_loop().time()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# -- without toxics ------------------------------------------------------------------------------------------------


@each_row(("unix_in", "unix_out"), [(False, False), (False, True), (True, False), (True, True)])
def test_bytes_pass_between_tcp_and_unix_sockets(tmp_path: Path, *, unix_in: bool, unix_out: bool) -> None:
    async def work() -> None:
        listen = f"unix:{tmp_path}/in" if unix_in else "tcp:127.0.0.1:0"
        async with proxied(listen=listen, unix_upstream=tmp_path / "out" if unix_out else None) as proxy:
            data = noise(3_000_000)
            streams = await dial(proxy)
            streams[1].write(data)
            streams[1].write_eof()
            assert await streams[0].read() == data
            await until(lambda: proxy.told()["connections"]["open"] == 0, "closed when both sides have ended")
            assert proxy.told()["bytes"] == {"upstream": len(data), "downstream": len(data)}

    run(work())


def test_a_half_closed_connection_still_answers() -> None:
    async def after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()  # only the end of the request lets the answer begin
        writer.write(hashlib.sha256(data).digest())
        writer.close()

    async def work() -> None:
        async with proxied(after_the_end) as proxy:
            reader, writer = await dial(proxy)
            writer.write(b"question")
            writer.write_eof()
            assert await reader.read() == hashlib.sha256(b"question").digest()

    run(work())


@each_row("latency", [None, 60_000, 1])
def test_a_receiver_that_does_not_read_stops_the_sender(latency: int | None) -> None:
    async def work() -> None:
        stalled = asyncio.Event()

        async def deaf(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await stalled.wait()
            writer.close()

        async with proxied(deaf) as proxy:
            if latency:
                await proxy.add(Wish(type="latency", stream="upstream", attributes={"latency": latency}))
            _, sender = await dial(proxy)
            sent, total = 0, 256_000_000
            with contextlib.suppress(TimeoutError):
                while sent < total:
                    sender.write(bytes(1_000_000))
                    sent += 1_000_000
                    async with asyncio.timeout(0.7):
                        await sender.drain()
            assert sent < 40_000_000, "kernel buffers and the proxy's own limit, not all of it"
            if latency:
                (connection,) = proxy._open.values()
                assert connection.directions["upstream"]._held_bytes < 2 * HELD_LIMIT_BYTES
            stalled.set()
            sender.transport.abort()

    run(work())


def test_more_than_may_wait_at_once_gets_through_a_toxic() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="latency", attributes={"latency": 1}))
            await proxy.add(Wish(type="latency", stream="upstream", attributes={"latency": 1}))
            data = noise(5 * HELD_LIMIT_BYTES)
            reader, writer = await dial(proxy)
            writer.write(data)
            writer.write_eof()
            assert await reader.read() == data
            await until(lambda: proxy.told()["connections"]["open"] == 0, "closed when both sides have ended")
            assert proxy.told()["bytes"] == {"upstream": len(data), "downstream": len(data)}
            at_work = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
            assert "Direction._run" not in at_work, "nobody carries what is over"

    run(work())


def impatient(proxy: Proxy, words: bytes) -> socket.socket:
    """A client that has said its words before the proxy has even seen it: the kernel lets it in."""
    client = socket.create_connection((proxy.listen.host, proxy.listen.port))
    client.sendall(words)
    client.setblocking(False)
    return client


@each_row(("words", "ends"), [(b"early", False), (b"early", True), (b"", True)])
def test_words_before_the_server_is_there_are_kept_and_others_follow(words: bytes, *, ends: bool) -> None:
    async def work() -> None:
        async with proxied() as proxy:
            client = impatient(proxy, words)
            if ends:
                client.shutdown(socket.SHUT_WR)
            reader, writer = await asyncio.open_connection(sock=client)
            dialled.append(writer)
            assert await reader.readexactly(len(words)) == words
            if ends:
                assert await reader.read() == b""
            else:
                assert await say((reader, writer), b"later") == b"later"

    run(work())


class Wire:
    """In the place of a transport."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


def test_a_client_that_is_gone_before_its_server_is_there_leaves_nobody_alone() -> None:
    met: list[Connection] = []
    loop: Any = None
    connection = Connection(1, loop=loop, joined=met.append, left=lambda _: None)
    client, server = Wire(), Wire()
    connection.client.connection_made(client)  # type: ignore[arg-type]
    connection.client.connection_lost(None)
    connection.server.connection_made(server)  # type: ignore[arg-type]
    assert server.aborted
    assert met == [], "there is no such connection"


@each_row("broken", [False, True])
@each_row("who", ["client", "server"])
def test_a_broken_end_breaks_the_other_and_a_closed_one_closes_it(who: str, *, broken: bool) -> None:
    async def work() -> None:
        ends: dict[str, Streams] = {}

        async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ends["server"] = (reader, writer)

        async with proxied(server) as proxy:
            ends["client"] = await dial(proxy)
            await until(lambda: "server" in ends, "the server is there")
            writer = ends.pop(who)[1]
            ((reader, other),) = ends.values()
            if broken:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            else:
                writer.close()
                assert await reader.read() == b""
            other.close()

    run(work())


def test_many_connections_keep_their_bytes_apart() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="slicer", attributes={"average_size": 500, "size_variation": 100}))

            async def one(number: int) -> bool:
                streams = await dial(proxy)
                data = noise(2000 + number)
                same = await say(streams, data) == data
                streams[1].close()
                return same

            assert all(await asyncio.gather(*(one(number) for number in range(200))))
            assert proxy.accepted == 200

    run(work())


def test_an_upstream_that_is_not_there_resets_the_client() -> None:
    async def work() -> None:
        with socket.socket() as placeholder:
            placeholder.bind(("127.0.0.1", 0))
            upstream = Address(host="127.0.0.1", port=placeholder.getsockname()[1])
            proxy = Proxy("p", listen=Address.parse("tcp:127.0.0.1:0"), upstream=upstream)
            await proxy.start()
            reader, writer = await dial(proxy)
            writer.write(b"anyone?")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert proxy.refused == 1
            await proxy.stop()

    run(work())


# -- each toxic ----------------------------------------------------------------------------------------------------


def test_latency_is_late_in_order_and_does_not_add_up() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams = await dial(proxy)
            await proxy.add(Wish(type="latency", attributes={"latency": 200, "jitter": 50}))
            began, data = now(), noise(40_000)
            for start in range(0, len(data), 2000):
                streams[1].write(data[start : start + 2000])
                await streams[1].drain()
                await asyncio.sleep(0.005)
            assert await streams[0].readexactly(len(data)) == data
            took_s = now() - began
            assert took_s > 0.15
            assert took_s < 20 * 0.15, "twenty delays one after the other"

    run(work())


def test_bandwidth_holds_its_rate() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams, data = await dial(proxy), noise(300_000)
            began = now()
            assert await say(streams, data) == data
            free_s = now() - began
            await proxy.add(Wish(type="bandwidth", attributes={"rate": 500}))
            began = now()
            assert await say(streams, data) == data
            slow_s = now() - began
            assert slow_s - free_s > 0.5, "300 KB at 500 KB/s are 0.6 s"
            assert slow_s < 3

    run(work())


def test_slow_close_delays_the_end_and_nothing_else() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="slow_close", attributes={"delay": 400}))
            streams = await dial(proxy)
            began = now()
            assert await say(streams, b"hello") == b"hello"
            assert now() - began < 0.3
            streams[1].write_eof()
            began = now()
            assert await streams[0].read() == b""
            assert now() - began > 0.39

    run(work())


@each_row("stream", ["upstream", "downstream"])
def test_reset_peer_is_a_reset_on_the_wire(stream: str) -> None:
    async def work() -> None:
        server_saw: list[BaseException | None] = []

        async def watcher(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while data := await reader.read(1000):
                    writer.write(data)
                server_saw.append(None)
            except OSError as error:
                server_saw.append(error)
            writer.transport.abort()

        async with proxied(watcher) as proxy:
            await proxy.add(Wish(type="reset_peer", stream=stream, attributes={"timeout": 100}))  # type: ignore[arg-type]
            reader, writer = await dial(proxy)
            began = now()
            writer.write(b"x")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert now() - began > 0.09
            await until(lambda: bool(server_saw), "the server has seen the end")
            assert isinstance(server_saw[0], ConnectionResetError)

    run(work())


def test_timeout_lets_nothing_through_and_then_closes() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams = await dial(proxy)
            assert await say(streams, b"before") == b"before"
            await proxy.add(Wish(type="timeout", attributes={"timeout": 300}))
            began = now()
            streams[1].write(b"never answered")
            assert await streams[0].read() == b""
            assert now() - began > 0.25

    run(work())


def test_timeout_of_zero_closes_when_it_is_taken_away() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams = await dial(proxy)
            await proxy.add(Wish(type="timeout", attributes={"timeout": 0}))
            streams[1].write(b"lost")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await streams[0].read()
            await proxy.remove("timeout_downstream")
            assert await streams[0].read() == b""

    run(work())


def test_timeout_does_not_tell_the_end_either() -> None:
    async def work() -> None:
        ended = asyncio.Event()

        async def listener(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            ended.set()
            writer.close()

        async with proxied(listener) as proxy:
            await proxy.add(Wish(type="timeout", stream="upstream", attributes={"timeout": 0}))
            _, writer = await dial(proxy)
            writer.write_eof()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ended.wait()
            await proxy.remove("timeout_upstream")
            await ended.wait()

    run(work())


@each_row("limit", [0, 1, 1000, 65_536, 100_001])
def test_limit_data_is_exact(limit: int) -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="limit_data", attributes={"bytes": limit}))
            reader, writer = await dial(proxy)
            data = noise(200_000)
            writer.write(data)
            got = b""
            try:
                while part := await reader.read(65_536):
                    got += part
            except ConnectionResetError:
                pass  # the server's other bytes were on their way
            assert got == data[:limit]

    run(work())


def test_limit_data_counts_over_several_pieces() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams = await dial(proxy)
            await proxy.add(Wish(type="limit_data", attributes={"bytes": 10}))
            assert await say(streams, b"sixsix") == b"sixsix"
            streams[1].write(b"abcdef")
            assert await streams[0].read() == b"abcd"

    run(work())


def test_slicer_keeps_every_byte_and_makes_small_pieces() -> None:
    async def work() -> None:
        sizes: list[int] = []

        async def receiver(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got = b""
            while part := await reader.read(65_536):
                sizes.append(len(part))
                got += part
            writer.write(hashlib.sha256(got).digest())
            writer.close()

        async with proxied(receiver) as proxy:
            wish = {"average_size": 100, "size_variation": 30, "delay": 2000}
            await proxy.add(Wish(type="slicer", stream="upstream", attributes=wish))
            reader, writer = await dial(proxy)
            data = noise(5000)
            writer.write(data)
            writer.write_eof()
            assert await reader.read() == hashlib.sha256(data).digest()
            assert len(sizes) > 20
            assert sorted(sizes)[len(sizes) // 2] <= 130

    run(work())


@each_row("unix", [False, True])
def test_down_resets_and_refuses_until_it_is_over(tmp_path: Path, *, unix: bool) -> None:
    async def work() -> None:
        async with proxied(listen=f"unix:{tmp_path}/in" if unix else "tcp:127.0.0.1:0") as proxy:
            streams = await dial(proxy)
            assert await say(streams, b"up") == b"up"
            await proxy.add(Wish(type="down"))
            if unix:
                assert await streams[0].read() == b""
            else:
                with pytest.raises(ConnectionResetError):
                    await streams[0].read()
            with pytest.raises(ConnectionRefusedError):
                await dial(proxy)
            assert not proxy.told()["enabled"]
            await proxy.remove("down_downstream")
            assert await say(await dial(proxy), b"again") == b"again"

    run(work())


def test_the_door_opens_with_the_last_that_closes_it_and_its_port_stays_ours() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="down", name="first"))
            await proxy.add(Wish(type="down", name="second"))
            await proxy.remove("first")
            with pytest.raises(ConnectionRefusedError):
                await dial(proxy)
            with socket.socket() as thief, pytest.raises(OSError, match="in use"):
                thief.bind((proxy.listen.host, proxy.listen.port))
            await proxy.remove("second")
            assert await say(await dial(proxy), b"open") == b"open"

    run(work())


def test_a_path_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    async def work() -> None:
        theirs = tmp_path / "in"
        theirs.write_text("theirs")
        proxy = Proxy("p", listen=Address.parse(f"unix:{theirs}"), upstream=Address.parse("tcp:127.0.0.1:1"))
        try:
            with pytest.raises(OSError, match="in use"):
                await proxy.start()
        finally:
            await proxy.stop()
        assert theirs.read_text() == "theirs"

    run(work())


# -- whether, and for how long -------------------------------------------------------------------------------------


def test_a_toxic_taken_away_lets_go_of_what_it_held() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams, data = await dial(proxy), noise(10_000)
            await proxy.add(Wish(type="latency", attributes={"latency": 60_000}))
            streams[1].write(data)
            await until(lambda: proxy.told()["bytes"]["upstream"] == len(data), "it is on its way")
            await proxy.remove("latency_downstream")
            assert await streams[0].readexactly(len(data)) == data
            assert await say(streams, b"straight") == b"straight"
            (connection,) = proxy._open.values()
            assert not connection.directions["downstream"].slow, "straight through again"

    run(work())


def test_toxics_stack_and_one_of_them_can_go() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            streams, data = await dial(proxy), noise(3000)
            await proxy.add(Wish(type="slicer", attributes={"average_size": 300}))
            await proxy.add(Wish(type="latency", attributes={"latency": 150}))
            began = now()
            assert await say(streams, data) == data
            assert 0.14 < now() - began < 1.4, "ten pieces wait together, not one after the other"
            await proxy.remove("latency_downstream")
            began = now()
            assert await say(streams, data) == data
            assert now() - began < 0.14
            assert [one["name"] for one in proxy.toxics()] == ["slicer_downstream"]

    run(work())


def test_each_of_two_toxics_acts() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="limit_data", attributes={"bytes": 4}))
            await proxy.add(Wish(type="latency", attributes={"latency": 150}))
            reader, writer = await dial(proxy)
            began = now()
            writer.write(b"longer than four")
            assert await reader.read() == b"long", "cut"
            assert now() - began > 0.14, "and late"

    run(work())


@each_row("wish", [{"connections": 1}, {"toxicity": 0.0}])
def test_down_for_some_shuts_out_nobody_else(wish: dict[str, Any]) -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="down", **wish))
            assert proxy.told()["enabled"]
            streams = await dial(proxy)
            if "connections" in wish:
                streams[1].write(b"x")
                with pytest.raises(ConnectionResetError):
                    await streams[0].read()
                streams = await dial(proxy)
            assert await say(streams, b"let in") == b"let in"

    run(work())


def test_a_toxic_for_so_many_spares_the_next_while_those_are_open() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="timeout", stream="upstream", connections=2, attributes={"timeout": 0}))
            for _ in range(2):
                _, writer = await dial(proxy)
                writer.write(b"never answered")
            await until(lambda: proxy.toxics()[0]["claims"] == 2, "it has acted on two connections")
            third = await dial(proxy)
            assert await say(third, b"third") == b"third"
            third[1].close()
            await until(lambda: proxy.told()["connections"]["open"] == 2, "the third has left")
            assert len(proxy.toxics()) == 1, "the two are still open, so it is not over"

    run(work())


def test_a_connection_counts_once_however_much_it_says() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="latency", connections=2))
            streams = await dial(proxy)
            for _ in range(3):
                assert await say(streams, b"word") == b"word"
            assert proxy.toxics()[0]["claims"] == 1

    run(work())


def test_an_answer_to_what_was_asked_before_is_not_the_next_use() -> None:
    """Else the fault is spent on a call that somebody made before, and who armed it sees nothing break."""
    answer_now = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            await answer_now.wait()
            writer.write(data)
        writer.close()

    async def work() -> None:
        async with proxied(slow) as proxy:
            before = await dial(proxy)
            before[1].write(b"asked before")
            await until(lambda: proxy.told()["bytes"]["upstream"] == 12, "the question has passed")
            await proxy.add(Wish(type="limit_data", connections=1, attributes={"bytes": 0}))
            answer_now.set()
            assert await before[0].readexactly(12) == b"asked before"
            before[1].write(b"asked after")
            assert await before[0].read() == b"", "the next use, on whatever connection"
            assert await say(await dial(proxy), b"third") == b"third"

    run(work())


def test_who_speaks_first_is_heard_as_a_use() -> None:
    """A server that greets: a new connection is used with its first word, whichever side says it."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async def work() -> None:
        async with proxied(greet) as proxy:
            await proxy.add(Wish(type="limit_data", connections=1, attributes={"bytes": 2}))
            reader, _ = await dial(proxy)
            assert await reader.read() == b"he"

    run(work())


def test_a_toxic_reverts_after_its_connections() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            idle = await dial(proxy)
            assert await say(idle, b"idle") == b"idle"
            await proxy.add(Wish(type="reset_peer", connections=2))
            for _ in range(2):
                reader, writer = await dial(proxy)
                writer.write(b"x")
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            await until(lambda: proxy.toxics() == [], "over after two connections")
            assert await say(idle, b"spared: it said nothing meanwhile")
            assert await say(await dial(proxy), b"third") == b"third"

    run(work())


def test_a_toxic_reverts_after_its_time() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            await proxy.add(Wish(type="down", lasts_s=0.2))
            with pytest.raises(ConnectionRefusedError):
                await dial(proxy)
            await until(lambda: proxy.told()["enabled"], "the door is open again")
            assert proxy.toxics() == []
            assert await say(await dial(proxy), b"up") == b"up"

    run(work())


def test_toxicity_draws_the_same_connections_from_the_same_seed() -> None:
    async def hit(seed: int) -> list[bool]:
        found = []
        async with proxied() as proxy:
            await proxy.add(Wish(type="limit_data", toxicity=0.5, seed=seed, attributes={"bytes": 0}))
            for _ in range(40):
                reader, writer = await dial(proxy)
                writer.write(b"x")
                found.append(await reader.read(1) == b"")
                writer.close()
        return found

    async def work() -> None:
        first, again, other = await hit(1), await hit(1), await hit(2)
        assert first == again != other
        assert 8 < sum(first) < 32

    run(work())


def test_names_and_attributes_are_checked() -> None:
    async def work() -> None:
        async with proxied() as proxy:
            with pytest.raises(BadToxic, match="latency"):
                await proxy.add(Wish(type="latncy"))
            with pytest.raises(ValidationError):
                await proxy.add(Wish(type="bandwidth", attributes={"rate": 0}))
            await proxy.add(Wish(type="latency"))
            with pytest.raises(NameTaken):
                await proxy.add(Wish(type="latency"))
            with pytest.raises(Unknown):
                await proxy.remove("nothing")
            assert len(proxy.toxics()) == 1

    run(work())


def test_the_names_are_toxiproxys() -> None:
    assert set(TOXICS) == {
        *("latency", "bandwidth", "slow_close", "reset_peer", "timeout", "limit_data", "slicer", "down")
    }


@each_row("text", ["", "tcp:127.0.0.1", "tcp:127.0.0.1:99999", "tcp:example.com:80", "unix:here", "x"])
def test_what_is_no_address_of_this_machine_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        Address.parse(text)


def test_addresses_are_written_as_they_are_read() -> None:
    for text in ("tcp:127.0.0.1:5432", "tcp:[::1]:80", "unix:/tmp/x"):
        assert str(Address.parse(text)) == text
