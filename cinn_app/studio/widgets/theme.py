"""How the studio looks: calm and neutral, so that the colours on the page are those of the pictures."""

from pathlib import Path

import gradio as gr

from cinn_app.registry import room_folders

__all__ = ["HEAD", "styles", "theme"]

# Named, never fetched: the first that the visitor's computer has.
SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica"]
CHINESE = ["PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"]
# A shade darker than the neutral 500, which does not contrast enough with the grounds of pictures.
SUBDUED = "#706964"
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

HERE = Path(__file__).parent
#: Go into the page's head.
HEAD = [HERE / "head.html", HERE / "access.html"]


def styles() -> list[Path]:
    """Find the style sheets: the whole page's, then those of the rooms."""
    folders = [HERE.parent / "models", *room_folders()]
    return [HERE / "theme.css", *(folder / "tab.css" for folder in folders if (folder / "tab.css").is_file())]


def theme() -> gr.themes.Base:
    """Build gradio's theme."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        font=[*SANS, *CHINESE, "sans-serif"],
        font_mono=MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_text_color_subdued=SUBDUED,
        block_info_text_color=SUBDUED,
        background_fill_secondary="*neutral_100",
        block_border_width="1px",
        block_shadow="none",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        slider_color="*primary_600",
        color_accent="*primary_700",  # by night a lighter one, in theme.css
    )
