"""What is said back when a parameter file says what it may not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from kit.refused_studies import REFUSED
from trainscape import study
from trainscape.errors import UserError
from trainscape.study import complaints, read

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: Path) -> str:
    """Why reading ``path`` is refused, without the file's name that comes first: one line."""
    with pytest.raises(UserError) as error:
        read(path)
    name, _, why = str(error.value).partition(": ")
    assert name == str(path)
    assert "\n" not in why
    return why


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_bad_input_is_answered_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """File, key, value and what it may be: the whole message, for everything that can be wrong."""
    path = tmp_path / "study.yaml"
    path.write_text(text)
    assert refused(path) == message


def test_no_message_speaks_the_librarys_language() -> None:
    """What people read is about their file, not about how it is checked."""
    jargon = re.compile(
        r"Input should|should (be|have)|instance of|valid (string|list|dict)|<\w+>$"
    )
    assert not [message for _, message in REFUSED if jargon.search(message)]


def test_every_complaint_in_the_table_has_a_case() -> None:
    """No kind of complaint is worded without an input that leads to it."""
    words = [w.partition(";")[0].partition("{")[0].strip() for w in complaints.COMPLAINTS.values()]
    messages = " | ".join(message for _, message in REFUSED)
    assert [w for w in words if w not in messages] == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing files, folders and other encodings are told apart."""
    assert refused(tmp_path / "none.yaml") == "no such parameter file"
    assert refused(tmp_path) == "is a folder; give a parameter file"
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: größe".encode("latin-1"))
    assert refused(path) == "is not UTF-8 text; save it as UTF-8"


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    """A message stays readable whatever it is about."""
    path = tmp_path / "study.yaml"
    path.write_text(f"name: {'x ' * 500}")
    assert len(refused(path)) < 200


# What the model refuses for reasons that a schema cannot say: names, order, roundings, files.
BEYOND_A_SCHEMA = re.compile(
    r"low < high|four digits|YAML|not parameters|is no text|names .* twice|more rounds|cannot rise"
)


@pytest.mark.parametrize(
    "text", [t for t, m in REFUSED if not BEYOND_A_SCHEMA.search(m) and "nan" not in t.lower()]
)
def test_the_schema_refuses_what_the_model_refuses(text: str) -> None:
    """An editor marks what the command line would refuse."""
    raw = yaml.safe_load(text)
    if isinstance(raw, dict) and all(isinstance(key, str) for key in raw) and "inf" not in text:
        assert not Draft202012Validator(study.schema()).is_valid(raw)
