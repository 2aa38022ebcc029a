"""Tapes: every line of every recording comes out as a frame, exactly, whatever is damaged."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from candlewick.errors import UsageError
from candlewick.model.outcome import Frame
from candlewick.shell.capture import CaptureReader, capture_line, seconds_ns
from candlewick.shell.tape import LINE_BYTES_MAX, Tape, TapeWriter, open_tape

FRAMES = [
    Frame(b"", 1_500_000_000_123_456_789, "connect", "wss://x/y", 3),
    Frame(b'{"method":"subscribe"}', 1_500_000_000_123_456_790, "out", "wss://x/y", 3),
    Frame(b'{"e":"trade","t":1}', 1_500_000_001_000_000_000, "in", "", 3),
    Frame(b'{"p":"\xc3\xa9\\n\\"\xf0\x9f\x98\x80"}', 0, "in", "", 3),
    Frame(b"\xff\xfe\x00", 5, "in", "", 3),
    Frame(b"[]", 1_500_000_001_000_000_001, "http", "https://x/depth", 3),
]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def plain_text(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content


def captures(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.jsonl*")):
        first = plain_text(path).split(b"\n", 1)[0]
        if "raw" in json.loads(first):
            yield path


def naive(text: bytes) -> list[Frame]:
    """The slow twin: the standard library's JSON, a Decimal for every time."""
    frames, opened = [], 0
    for line in text.splitlines():
        found = json.loads(line, parse_float=Decimal)
        raw, ts = found["raw"], found.get("ts")
        name = found.get("conn", found.get("url"))
        conn = opened
        if name is not None and found.get("dir") != "http":
            conn = zlib.crc32(name.encode())
        if found.get("dir") == "connect":
            opened = conn
        at_ns = found.get("ts_ns") or int((ts or 0) * 10**9)
        frames.append(
            Frame((raw or "").encode(), at_ns, found.get("dir", "in"), found.get("url") or "", conn)
        )
    return frames


def test_every_line_of_every_recording_is_a_frame_equal_to_the_slow_twins(
    shared_data: Path,
) -> None:
    seen = 0
    for path in captures(shared_data):
        text = plain_text(path)
        tape = Tape([path])
        assert list(tape) == naive(text), path.name
        assert tape.damaged is None
        assert tape.read_bytes == tape.total_bytes == path.stat().st_size
        seen += text.count(b"\n")
    assert seen > 200_000  # 31 files; the two of hftbacktest alone have 193,528 lines.


def test_the_recorders_nanoseconds_are_preferred_and_kept_to_the_last_digit(
    shared_data: Path,
) -> None:
    name = "binance_spot_btcusdt_2024-08-08_2354_to_2024-08-09_0005.jsonl.zst"
    first = next(open_tape(shared_data / "hftbacktest" / name))
    assert first.seen_ns == 1_723_161_253_937_085_768


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1617566590.378895", 1_617_566_590_378_895_000),
        ("1618677816.8434298", 1_618_677_816_843_429_800),
        ("1723161253.937085768", 1_723_161_253_937_085_768),  # A float has lost the last digits.
        ("1723161253.9370857689", 1_723_161_253_937_085_768),
        ("1723161253", 1_723_161_253_000_000_000),
        ("1.723161253e9", 1_723_161_253_000_000_000),
        ("-1.5", -1_500_000_000),
        ("0.0", 0),
        ("null", 0),
        ("1e400", 0),
        ("9" * 30, 0),
        ("9" * 30 + ".5", 0),
        ('"2024-01-01T00:00:00Z"', 0),
        ("true", 0),
    ],
)
def test_seconds_are_read_from_their_digits_and_an_unusable_time_is_unknown(
    text: str, at_ns: int
) -> None:
    assert seconds_ns(text.encode()) == at_ns
    line = b'{"ts":' + text.encode() + b',"raw":"x"}'
    assert CaptureReader().frames(line) == [Frame(b"x", at_ns)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl.zst"
    with TapeWriter(path) as tape:
        tape.write(FRAMES[:2])
        tape.write(FRAMES[2:])
    assert list(open_tape(path)) == FRAMES


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Frame,
            st.binary(max_size=40),
            st.integers(-(2**63), 2**63 - 1),
            st.sampled_from(["in", "http", "out", "connect"]),
            st.text(max_size=5),
            st.just(0),
        )
    )
)
def test_any_frame_survives_writing_and_reading(frames: list[Frame]) -> None:
    lines = b"".join(map(capture_line, frames))
    found = CaptureReader().frames(lines)
    assert [f._replace(conn=0) for f in found] == frames
    times = [json.loads(line, parse_float=Decimal)["ts"] for line in lines.splitlines()]
    assert [int((t or 0) * 10**9) for t in times] == [f.seen_ns for f in frames]


def test_a_writer_that_was_killed_leaves_everything_flushed_readable(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl.zst"
    tape = TapeWriter(path)
    tape.write(FRAMES)
    tape.flush()
    copy = written(tmp_path / "copy.zst", path.read_bytes())
    tape.close()
    torn = Tape([copy])
    assert list(torn) == FRAMES
    assert torn.damaged is not None
    assert "copy.zst ends inside its compressed part" in torn.damaged


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.gz", "a.jsonl", "wrong.zst"])
def test_compression_is_told_by_the_first_bytes(tmp_path: Path, name: str) -> None:
    text = b"".join(map(capture_line, FRAMES))
    packed = {
        "a.jsonl.zst": zstandard.ZstdCompressor().compress(text[:90])
        + zstandard.ZstdCompressor().compress(text[90:]),
        "a.gz": gzip.compress(text[:90]) + gzip.compress(text[90:]),
        "a.jsonl": text,
        "wrong.zst": gzip.compress(text),
    }[name]
    tape = Tape([written(tmp_path / name, packed)])
    assert list(tape) == FRAMES
    assert tape.damaged is None


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress]
)
def test_everything_before_a_cut_or_a_damaged_byte_is_read_and_the_place_is_told(
    tmp_path: Path, pack: object
) -> None:
    whole = [Frame(b'{"n":%d,"x":"%x"}' % (n, n * 7919**9 % 2**256), n + 1) for n in range(20_000)]
    packed = pack(b"".join(map(capture_line, whole)))  # type: ignore[operator]
    for at in (len(packed) // 3, len(packed) - 1):
        tape = Tape([written(tmp_path / "cut", packed[:at])])
        frames = list(tape)
        # The frame at the cut is torn, and comes as what is left of its line.
        assert frames[:-1] == whole[: len(frames) - 1]
        assert len(frames) > 19_000 * at // len(packed) - 2_000
        assert tape.damaged
        assert str(at) in tape.damaged
    broken = bytearray(packed)
    broken[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    tape = Tape([written(tmp_path / "broken", bytes(broken))])
    frames = list(tape)
    assert tape.damaged
    assert frames[: 20_000 // 3] == whole[: 20_000 // 3]
    with pytest.raises(UsageError, match=r"tape: broken .*byte \d+"):
        list(open_tape(tmp_path / "broken"))


@pytest.mark.parametrize(
    "bad",
    [
        b'{"ts":1.5,"raw":"x',
        b"garbage",
        b'{"ts":null,"raw":17}',
        b'{"raw":"x","dir":"sideways"}',
        b'{"raw":"\xff"}',
        b'{"raw":"x","ts_ns":9223372036854775808}',
        b"[" * 200_000,
        b"\x00",
    ],
)
def test_a_damaged_line_of_a_capture_comes_whole_and_its_neighbours_unharmed(
    tmp_path: Path, bad: bytes
) -> None:
    lines = [capture_line(frame) for frame in FRAMES]
    for place in (0, 3, len(lines)):
        text = b"".join([*lines[:place], bad + b"\n", *lines[place:]])
        frames = list(Tape([written(tmp_path / "capture", text)]))
        assert frames[place].raw == bad
        assert [*frames[:place], *frames[place + 1 :]] == FRAMES


def test_a_line_torn_between_two_values_does_not_swallow_the_next() -> None:
    torn = b'{"ts":null,\n"raw":"a"}\n{"raw":"b"}\n'
    assert [f.raw for f in CaptureReader().frames(torn)] == [b'{"ts":null,', b'"raw":"a"}', b"b"]


def test_a_plain_file_gives_a_frame_a_line_as_it_is(tmp_path: Path) -> None:
    text = b'{"e":"trade"}\r\n\n{"e":"x"\n[1]\nnonsense'
    expected = [Frame(b'{"e":"trade"}'), Frame(b'{"e":"x"'), Frame(b"[1]"), Frame(b"nonsense")]
    assert list(Tape([written(tmp_path / "plain", text)])) == expected
    assert list(Tape([written(tmp_path / "marked", b"\xef\xbb\xbf" + text)])) == expected
    torn_first = b'{"e":\n{"e":"x"}\n{"e":"y"}\n'
    assert len(list(Tape([written(tmp_path / "torn", torn_first)]))) == 3


def test_one_json_value_is_one_answer_over_http_also_if_it_is_pretty_printed(
    tmp_path: Path, shared_data: Path
) -> None:
    answer = {"error": [], "result": {"XBTUSDT": [[1, "2"]]}}
    for indent in (None, 2):
        text = json.dumps(answer, indent=indent).encode() + b"\n"
        (frame,) = Tape([written(tmp_path / "answer.json", text)])
        assert frame == Frame(text.strip(), origin="http")
    one = written(tmp_path / "one.jsonl", b'{"channel":"heartbeat"}\n')
    assert list(Tape([one])) == [Frame(b'{"channel":"heartbeat"}')]
    folder = shared_data / "nautilus_trader"
    name = "kraken_rest_trades_xbtusdt_2025-11-10_until_2130.json.zst"
    (frame,) = Tape([folder / name])
    assert frame.origin == "http"
    assert len(json.loads(frame.raw)["result"]["XBTUSDT"]) > 100
    (frame,) = Tape([shared_data / "xchange" / "kraken_example-ohlc-data.json.zst"])
    assert b"\n" in frame.raw
    assert json.loads(frame.raw)["error"] == []


def test_a_recording_is_known_by_its_content(tmp_path: Path) -> None:
    """Another file of the same name must not be taken for one that was read half-way."""
    sources = set()
    for folder, text in (("a", b"{}\n{}\n"), ("b", b"{}\n[]\n"), ("c", b"{}\n{}\n")):
        (tmp_path / folder).mkdir()
        sources.add(Tape([written(tmp_path / folder / "day.jsonl", text)]).sources)
    assert len(sources) == 2


def test_files_follow_each_other_and_batches_count_the_frames_of_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = b"".join(map(capture_line, FRAMES))
        written(tmp_path / name, text)
    tape = Tape([tmp_path / "a", tmp_path / "b"])
    batches = list(tape.batches(rows_max=4))
    assert [(len(b.frames), b.source, b.position) for b in batches] == [
        (4, tape.sources[0], "4"),
        (2, tape.sources[0], "6"),
        (4, tape.sources[1], "4"),
        (2, tape.sources[1], "6"),
    ]
    assert [f for b in batches for f in b.frames] == FRAMES * 2


def test_lines_that_name_no_connection_are_of_the_one_opened_last() -> None:
    lines = (
        b'{"raw":"a"}\n{"dir":"connect","url":"u","raw":null}\n{"raw":"b"}\n'
        b'{"raw":"c","conn":"X.2"}\n{"dir":"http","url":"h","raw":"d"}\n'
    )
    u, x = zlib.crc32(b"u"), zlib.crc32(b"X.2")
    assert [f.conn for f in CaptureReader().frames(lines)] == [0, u, u, x, u]


def test_what_cannot_be_a_tape_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    good = written(tmp_path / "good", b"{}\n{}\n")
    written(tmp_path / "empty", b"")
    for paths, said in (
        ([], "no file was named"),
        ([good, tmp_path / "missing"], "missing is not there"),
        ([tmp_path], "is a folder"),
        ([tmp_path / "empty"], "empty is empty"),
        ([good, good], "named twice"),
    ):
        with pytest.raises(UsageError, match=said):
            Tape(paths)
    nothing = written(tmp_path / "nothing.zst", zstandard.ZstdCompressor().compress(b"\n \n"))
    with pytest.raises(UsageError, match=r"nothing\.zst is empty"):
        list(Tape([nothing]))


def test_an_endless_line_is_cut_and_comes_in_pieces(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    packed = b"".join(packer.compress(b"[" * 1_048_576) for _ in range(80)) + packer.flush()
    frames = list(Tape([written(tmp_path / "endless", packed)]))
    assert max(len(frame.raw) for frame in frames) == LINE_BYTES_MAX
    assert sum(len(frame.raw) for frame in frames) == 80 * 1_048_576


PEAK = """
import resource, sys
from candlewick.shell.tape import Tape
frames = sum(len(batch.frames) for batch in Tape([sys.argv[1]]).batches())
print(frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.proc
def test_memory_does_not_grow_with_the_tape(tmp_path: Path) -> None:
    line = capture_line(Frame(b'{"e":"trade"}' + b" " * 400, 1))
    peaks = []
    for copies in (20_000, 400_000):
        path = tmp_path / f"{copies}.zst"
        with path.open("wb") as file, zstandard.ZstdCompressor(1).stream_writer(file) as text:
            for _ in range(copies // 1_000):
                text.write(line * 1_000)
        command = [sys.executable, "-c", PEAK, str(path)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert int(answer[0]) == copies
        peaks.append(int(answer[1]))
    # 380,000 more lines are 190 MB more; the peak may move by less than a tenth of that.
    assert peaks[1] - peaks[0] < 19_000


@pytest.mark.proc
def test_standard_input_is_a_tape_too(tmp_path: Path) -> None:
    program = "from candlewick.shell.tape import Tape; print(sum(1 for _ in Tape(['-'])))"
    buffer = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(buffer, closefd=False) as text:
        text.write(b"".join(map(capture_line, FRAMES)))
    done = subprocess.run(
        [sys.executable, "-c", program], input=buffer.getvalue(), capture_output=True, check=True
    )
    assert done.stdout == b"6\n"
