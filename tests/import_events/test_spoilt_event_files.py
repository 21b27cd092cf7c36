"""Whatever stands in an event file, each record is an event, a rejected one, or why it stops."""

import json
from contextlib import closing

import pytest
from fuzz import demand_numbered_refusal, fuzzed, spoilt, watched
from hypothesis import given
from hypothesis import strategies as st
from imported_files import FORMATS, as_format, event, packed

from flows.errors import Interrupted
from flows.event_files.event_archive import examine, open_events
from flows.lake.line_stream import LineStream
from flows.lake.local_file import open_local

#: Stands in every value, and must stand in no message. A bare word could be the name of a column,
#: where what is left of a row has run into the first line, and would be shown.
PATIENT = "kwiatkowska@example.org"
EVENTS = [
    event(n, user_id=f"{PATIENT} {n}", event_type=PATIENT, properties=json.dumps({"a": PATIENT}))
    for n in range(30)
]
#: Whole, with one event, and with none.
CONTENTS = {form: [as_format(form, EVENTS[:n]) for n in (30, 1, 0)] for form in FORMATS}


@pytest.mark.parametrize("packing", [None, "gz", "zip"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_spoilt_file_is_taken_or_refused_and_never_half_read(tmp_path, form, packing):
    """The load meets what the examination met; nothing hangs, and no message bears a value."""
    path = tmp_path / (f"a.{form}" + (f".{packing}" if packing else ""))
    good = [packed(content, packing, f"a.{form}") for content in CONTENTS[form]]

    @fuzzed(100)
    @given(spoilt(*good), st.sampled_from([0, 3, 1000]))
    def check(body, max_rejected):
        path.write_bytes(body)
        bucket, version = open_local(path)
        with watched():
            found, lines, refused = None, [], None
            try:
                archive = open_events(bucket, str(path), version, max_rejected)
                found = examine(archive)
            except Interrupted as error:
                refused = error
            if refused is not None:
                assert refused.file_key == str(path)
                assert PATIENT not in str(refused)
                return
            with closing(LineStream(archive)) as stream:
                while (slab := stream.take()) is not None:
                    demand_numbered_refusal("import", "import/a.csv", slab.data)
                    lines += [json.loads(line) for line in slab.lines if line]
                    stream.accept(len(slab.lines), len(slab.data))
        rejected = [line for line in lines if "rejected_reason" in line]
        assert len(rejected) == found.rejected <= max_rejected
        assert PATIENT not in str([line["rejected_reason"] for line in rejected])
        assert found.taken_as_utc <= len(lines) - len(rejected)

    check()
