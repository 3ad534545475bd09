"""The theme of the page: neutral, so that the only colours on it are those of the pictures."""

from pathlib import Path

import gradio as gr

from cinn_app.registry import room_folders

__all__ = ["heads", "styles", "theme"]

# Fonts of the visitor's computer: none is downloaded.
SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica"]
CHINESE = ["PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"]
# A shade darker than the neutral 500, whose contrast with the background of pictures is too low.
SUBDUED = "#706964"
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

HERE = Path(__file__).parent


def heads() -> list[Path]:
    """Return the parts of the page's HEAD: its own, and ``head.html`` of each room."""
    return [HERE / "icon.html", HERE / "head.html", HERE / "keyboard.html", *_of_rooms("head.html")]


def styles() -> list[Path]:
    """Return the style sheets: of the page, and ``tab.css`` of each room."""
    return [HERE / "theme.css", HERE / "log_out.css", HERE / "models_tab.css", *_of_rooms("tab.css")]


def _of_rooms(name: str) -> list[Path]:
    return [folder / name for folder in room_folders() if (folder / name).is_file()]


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
        color_accent="*primary_700",  # a lighter one in the dark, in theme.css
    )
