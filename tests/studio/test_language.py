"""English and the other languages: every text that visitors may meet is translated, and no translation is left over."""

import string
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

from cinn_app.errors import CinnError, ImageError
from cinn_app.messages import Message
from cinn_app.studio import catalogues
from cinn_app.studio.catalogues import SOURCE, catalogue_files, extracted, languages, translations
from cinn_app.studio.files import naming, without_folder
from cinn_app.studio.language import language, listed, ntr, speaking, tr, wanted

TRANSLATIONS = [code for code in languages() if code != SOURCE]


def catalog(folder: Path, code: str) -> Catalog:
    with (folder / "locale" / f"{code}.po").open("rb") as stream:
        return read_po(stream, locale=code, abort_invalid=True)


def braces(text: str) -> set[str]:
    """Find the names in braces, with how each is written."""
    return {f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None}


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@pytest.mark.parametrize("code", TRANSLATIONS)
def test_every_text_is_translated_and_no_translation_is_left_over(code: str) -> None:
    for folder, template in extracted().items():
        translated = catalog(folder, code)
        texts = {message.id for message in template}
        shown = {message.id for message in template if any("/studio/" in file for file, _ in message.locations)}
        done = {message.id for message in translated if all(forms(message.string))}
        fuzzy = {message.id for message in translated if message.fuzzy and message.id}
        assert shown - done == set(), "run `make texts`, and translate what is empty"
        assert fuzzy & shown == set(), "compare what is marked fuzzy with its English, and take the mark away"
        assert {message.id for message in translated} - texts == set(), "run `make texts`: the code has these no more"


@pytest.mark.parametrize("code", TRANSLATIONS)
def test_a_translation_has_the_same_braces(code: str) -> None:
    for folder in extracted():
        for message in catalog(folder, code):
            for form in forms(message.string) if message.id and not message.fuzzy else ():
                assert not form or braces(form) == set().union(*map(braces, forms(message.id))), message.id


def test_no_visitor_is_told_to_install_anything() -> None:
    # What is raised before there is a page, or by training.
    for_administrators = {"cinn_app/extras.py", "cinn_app/studio/gradio_workarounds.py", "cinn_app/nn/efficientnet.py"}
    found = [message for template in extracted().values() for message in template if "pip " in str(message.id)]
    assert {file for message in found for file, _ in message.locations} <= for_administrators


@pytest.mark.parametrize("code", TRANSLATIONS)
def test_no_text_is_translated_in_two_rooms(code: str) -> None:
    texts = [message.id for folder in extracted() for message in catalog(folder, code) if message.id]
    assert [text for text in texts if texts.count(text) > 1] == []


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ({}, "", "en"),
        ({}, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ({}, "zh-TW", "zh"),
        ({}, "en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ({}, "de,zh;q=0.3,en;q=0.9", "en"),
        ({}, "fr;q=x, *", "en"),
        ({"lang": "zh"}, "en-US", "zh"),
        ({"lang": "en"}, "zh-CN", "en"),
        ({"lang": "xx"}, "zh-CN", "zh"),
    ],
)
def test_the_address_takes_precedence_over_the_browsers_languages_in_their_order(
    query: dict[str, str], header: str, language: str
) -> None:
    assert wanted(query, {"accept-language": header}) == language


def test_english_is_the_source_and_stays_as_it_is() -> None:
    assert language() == "en"
    assert tr("Painting {number} of {count} …", number=3, count=4) == "Painting 3 of 4 …"
    assert tr(CinnError("{name} is missing.", name="a.json")) == "a.json is missing."
    assert tr("") == ""


def test_texts_without_translation_are_english() -> None:
    with speaking("zh"):
        assert tr("Painting {number} of {count} …", number=3, count=4) == "正在绘制第 3 张，共 4 张…"
        assert tr("Nobody says this.") == "Nobody says this."
        assert tr("Nobody {says} this.") == "Nobody {says} this."


def test_messages_and_errors_among_the_values_are_translated_and_other_values_are_not() -> None:
    inner = CinnError("{name}, {width:,} x {height:,} pixels.", name="Clear", width=3000, height=20)
    outer = Message("{coloured} of {count} coloured", coloured=Message("Clear"), count=inner)
    assert outer == "Clear of Clear, 3,000 x 20 pixels. coloured"
    with speaking("zh"):
        assert tr(outer) == "已上色 清除 / Clear，3,000 × 20 像素。"


def test_values_with_braces_stay_as_they_are() -> None:
    error = CinnError("No. {number} of {name}", number=1, name="{number}.jpg")
    assert str(error) == tr(error) == "No. 1 of {number}.jpg"


def test_a_count_takes_its_plural() -> None:
    assert [ntr("{count} photograph", "{count} photographs", count) for count in (0, 1, 2)] == [
        "0 photographs",
        "1 photograph",
        "2 photographs",
    ]


def test_an_enumeration_has_the_languages_comma() -> None:
    with speaking("zh"):
        assert listed(["1", "2"]) == "1、2"


def test_a_visitors_file_is_named_without_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "grandma.jpg"
    with pytest.raises(ImageError, match=r"^grandma\.jpg has been deleted") as caught, naming(file):
        raise ImageError("{name} has been deleted in the meantime: upload the photograph again.", name=str(file))
    with speaking("zh"):
        assert tr(caught.value) == "时间过久，grandma.jpg 已不在此处：请重新提供照片。"


def test_no_error_names_the_folders_in_which_the_studio_keeps_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = tmp_path / "session-x1" / "strength-1" / "our grandma.jpg"
    denied = OSError(5, "Input/output error", str(path))
    error = ImageError("{name} cannot be opened ({reason}): check the name and the disk.", name=path, reason=denied)
    assert tr(error).startswith("our grandma.jpg cannot be opened ([Errno 5] Input/output error: 'our grandma.jpg'): ")
    windows = r"C:\Users\me\AppData\Local\Temp\cinn-studio-1"
    monkeypatch.setenv("GRADIO_TEMP_DIR", windows)
    assert without_folder(rf"{windows}\ab12\our grandma.jpg is empty") == "our grandma.jpg is empty"


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two folders in place of the studio's and a room's, with empty caches."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        (folder / "locale").mkdir(parents=True)
    monkeypatch.setattr(catalogues, "_folders", lambda: folders)
    for cached in (languages, translations):
        cached.cache_clear()
    yield folders
    for cached in (languages, translations):
        cached.cache_clear()


def test_a_further_language_needs_only_a_catalogue(rooms: list[Path]) -> None:
    polish = Catalog("pl")
    polish.add(("{count} photograph", "{count} photographs"), ("{count} zdjęcie", "{count} zdjęcia", "{count} zdjęć"))
    polish.add("Digits", "Cyfry", flags={"fuzzy"})
    with (rooms[1] / "locale" / "pl.po").open("wb") as stream:
        write_po(stream, polish)
    assert languages() == {"en": "English", "pl": "polski"}
    assert wanted({}, {"accept-language": "pl-PL,en;q=0.5"}) == "pl"
    with speaking("pl"):
        counted = [ntr("{count} photograph", "{count} photographs", count) for count in (1, 3, 5)]
        assert counted == ["1 zdjęcie", "3 zdjęcia", "5 zdjęć"]
        assert tr("Digits") == "Digits", "a fuzzy translation is a guess"


def test_updating_keeps_translations_of_texts_that_moved_and_marks_reworded_ones(
    rooms: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Catalog("zh")
    before.add("This moves to another room.", "搬家")
    before.add("Old words for the very same thing.", "旧词")
    before.add("Gone.", "没了")
    with (rooms[0] / "locale" / "zh.po").open("wb") as stream:
        write_po(stream, before)
    here, there = Catalog(), Catalog()
    here.add("New words for the very same thing.")
    there.add("This moves to another room.")
    monkeypatch.setattr(catalogues, "extracted", lambda: dict(zip(rooms, [here, there], strict=True)))
    catalogues.update("zh")
    first, second = (catalog(room, "zh") for room in rooms)
    assert [(one.id, one.string, one.fuzzy) for one in first if one.id] == [
        ("New words for the very same thing.", "旧词", True)
    ]
    assert [(one.id, one.string, one.fuzzy) for one in second if one.id] == [
        ("This moves to another room.", "搬家", False)
    ]
    assert [file.parent.parent for file in catalogue_files("zh")] == rooms
