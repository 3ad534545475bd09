"""How the studio looks: calm and neutral, so that the colours on the page are those of the pictures."""

import gradio as gr

__all__ = ["CSS", "HEAD", "theme"]

# Named, never fetched: the first that the visitor's computer has.
SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Helvetica", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

CSS = """
.gradio-container { width: 100% !important; max-width: 1320px !important; margin: 0 auto !important;
    overflow: clip !important; }  /* hidden, as gradio has it, would let nothing stick to the window */
.tab-wrapper:has([role="tablist"] > :only-child) { display: none; }  /* a lone tab needs no strip */
.tabitem { padding: 0 !important; border: none !important; }

#header .html-container { padding: 0; }
#header .prose { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; }
#header h1 { margin: 0; font-size: 22px; font-weight: 650; letter-spacing: -0.01em; }
#header h1::before {
    content: ""; display: inline-block; width: 18px; height: 18px; margin-right: 10px; border-radius: 5px;
    vertical-align: -2px; background: linear-gradient(90deg, #8a8a8a 50%, var(--color-accent) 50%);
}
#header p { margin: 0; color: var(--body-text-color-subdued); }

#upload { border: 2px dashed var(--border-color-primary) !important; }
#upload:hover, #upload:focus-within { border-color: var(--color-accent) !important; }
#notice .html-container { padding: 10px 12px; border-left: 3px solid var(--color-accent); border-radius: 6px;
    background: var(--background-fill-secondary); font-size: 13px; line-height: 1.45; overflow-wrap: anywhere; }
#notice.error .html-container { border-left-color: var(--error-border-color);
    background: var(--error-background-fill); color: var(--error-text-color); }
#samples .label svg { display: none; }
#samples .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr));
    gap: 8px; }
#samples .gallery-item, #samples .gallery-item * { display: block; width: 100%; max-width: none; height: auto;
    max-height: none; }
#samples .container { overflow: hidden; }
#samples img { aspect-ratio: 4 / 3; object-fit: cover; filter: grayscale(1); }

#empty .html-container { display: flex; flex-direction: column; justify-content: center; min-height: 430px;
    padding: clamp(20px, 4vw, 56px); border-radius: 10px; background: var(--background-fill-secondary); }
#empty h2 { margin: 0 0 12px; font-size: 26px; font-weight: 650; }
#empty p { max-width: 36em; margin: 0; font-size: 16px; }
#empty ol { max-width: 38em; margin: 16px 0 0; padding-left: 1.4em; font-size: 15px; }
#empty li { margin: 10px 0; padding-left: 4px; }

#results h2 { margin: 0; font-size: 17px; font-weight: 650; white-space: nowrap; }
#results h2 small { margin-left: 8px; font-size: 13px; font-weight: 400; color: var(--body-text-color-subdued); }
#results .html-container { padding: 0; }
#results button.lg { min-width: max-content !important; padding: 9px 18px; font-size: 15px; white-space: nowrap; }

#colourings { border-width: 0 !important; border-radius: 0; background: transparent; overflow: visible !important; }
#colourings .grid-wrap { min-height: 120px; max-height: none; padding: 0; overflow: visible; }
#colourings .grid-container { grid-auto-rows: auto; align-items: start; gap: 14px; padding: 0; }
#colourings .thumbnail-item { display: block; aspect-ratio: auto; height: auto; padding: 0; border: none;
    box-shadow: none; background: transparent; overflow: visible; filter: none; }
#colourings .thumbnail-item img { height: auto; max-height: 300px; outline: 3px solid transparent; outline-offset: 2px;
    border-radius: 6px; background: var(--background-fill-secondary); }
#colourings .thumbnail-item:is(:hover, :focus-visible) img { outline-color: var(--neutral-400); }
#colourings .thumbnail-item.selected img { outline-color: var(--color-accent); }
#colourings .thumbnail-item .caption-label { position: static; max-width: none; margin-top: 9px; padding: 0;
    border: none; background: transparent; white-space: normal; overflow: visible; opacity: 1;
    font-size: 13px; line-height: 1.35; color: var(--body-text-color); }

#controls { display: grid; grid-template-columns: 1fr 1fr minmax(250px, auto); gap: 0; border-radius: 8px;
    border: 1px solid var(--border-color-primary); background: var(--block-background-fill); }
#controls .form { display: contents; }
#controls .block { border: none !important; background: transparent; }
#draw { align-items: flex-end; flex-wrap: nowrap; gap: 0; padding-right: 12px; }
#dice { margin-bottom: 12px; }
#controls .head label { flex: 1; }
#chosen { align-items: center; margin-top: 4px; }
#heading { min-width: max-content !important; }
#file { display: none; }  /* only hands a file to the script that saves it */
#compare { border-width: 0 !important; border-radius: 0; background: transparent; }
#compare img { background: var(--body-background-fill) !important; }

/* The digits tab: dark ink on paper by day, light ink by night; the pictures themselves are light on dark. */
#digits-tab { gap: 22px; }
#digits-tab .html-container { padding: 0; }
#digits-tab h2 { margin: 0; font-size: 17px; font-weight: 650; }
#digits-tab h2 small { margin-left: 8px; font-size: 13px; font-weight: 400; color: var(--body-text-color-subdued); }
#digits-tab button.lg { padding: 9px 16px; font-size: 15px; white-space: nowrap; }
#digits-lead a { margin: 0; padding: 0; color: var(--color-accent); }
#own-hand-heading { scroll-margin-top: 16px; }
#digits-lead p { max-width: 66em; margin: 10px 0 0; color: var(--body-text-color-subdued); }
#digits { gap: 36px; }
#wishes { gap: 0; border-radius: 8px; border: 1px solid var(--border-color-primary);
    background: var(--block-background-fill); }
#wishes :is(.block, .form) { border: none !important; background: transparent; }
#digit-draw { display: grid; grid-template-columns: 1fr 96px auto; align-items: end; gap: 0; padding-right: 12px; }
#digit-draw .form { display: contents; }
#digit-dice { margin-bottom: 12px; }
#temperature .head label { flex: 1; }

.chips .wrap { gap: 6px; }
.chips label { min-width: 34px; padding: 6px 9px !important; justify-content: center; cursor: pointer;
    background: var(--background-fill-secondary) !important; }
.chips label:hover { background: var(--border-color-primary) !important; }
.chips label.selected { background: var(--button-primary-background-fill) !important; color: white !important; }
.chips label.disabled { opacity: 0.5; cursor: default; }
.chips label:has(:focus-visible) { outline: 2px solid var(--color-accent); outline-offset: 2px; }
.chips input { position: absolute; opacity: 0; pointer-events: none; }
.chips label span { margin: 0 !important; }

#axes-head { align-items: flex-end; flex-wrap: nowrap; }
#axes-head .form, #own { flex: 1; padding: 0 !important; border: none !important; background: transparent; }
#reset { padding: 6px 14px; font-size: 14px; }
#axes { display: grid; grid-template-columns: 1fr 1fr; gap: 16px 24px; }
.axis { position: relative; isolation: isolate; gap: 0; min-width: 0 !important; padding-top: 24px; }
.axis .form { border: none; background: transparent; overflow: visible; }
.axis .along { position: static !important; }
.axis .slider_input_container { height: 22px; }
.axis .along { padding: 0 !important; border: none !important; background: transparent; overflow: visible !important; }
.axis .head { position: absolute; inset: 0 0 auto; align-items: center; height: 22px; margin: 0; }
#axes .head label span { margin: 0; }
#axes .tab-like-container { height: 22px; margin: 0; border: none; background: transparent; }
.axis .row-of-digits figcaption { font-size: 11px; line-height: 1.4; }
#axes .head input { width: 54px; height: 22px; margin: 0; padding: 0 4px; border: none; border-radius: 4px;
    background: transparent; box-shadow: none; text-align: right; font-variant-numeric: tabular-nums;
    appearance: textfield; }
#axes .head input::-webkit-inner-spin-button { display: none; }
#axes .head input:is(:hover, :focus) { background: var(--background-fill-secondary); }
.axis :is(.min_value, .max_value) { display: none; }
.axis input[type=range] { --slider-color: var(--neutral-200); flex: none; width: calc(100% * 6 / 7 + 16px);
    margin: 0 calc(100% / 14 - 8px); }
#digits-tab input[type=range]::-webkit-slider-thumb { background: var(--color-accent); }
#digits-tab input[type=range]::-moz-range-thumb { background: var(--color-accent); }
.dark #digits-tab input[type=range] { --neutral-200: var(--neutral-700); }

.ink { isolation: isolate; border-radius: 8px; background: var(--background-fill-secondary); }
.ink img { display: block; width: 100%; height: auto; margin: 0; filter: invert(1); mix-blend-mode: multiply;
    user-select: none; }
.dark .ink img { filter: none; mix-blend-mode: screen; }
.row-of-digits { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.row-of-digits figure { margin: 0; }
.row-of-digits figcaption { margin: 0; text-align: center; color: var(--body-text-color-subdued); }
.row-of-digits b { color: var(--color-accent); }
#written-digits { position: sticky; top: 12px; gap: 14px; }
#digits-head { align-items: center; }
#digits-heading { min-width: 0 !important; flex: 1; }
.cells { --room: 660px; display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); padding: 8px; }
.cells img { width: min(100%, var(--room) / var(--rows)); margin: 0 auto; }
.cells button { position: relative; padding: 0; border: none; border-radius: 8px; background: none; cursor: pointer;
    transition: none; outline: 2px solid transparent; outline-offset: -2px; }
.cells button:is(:hover, :focus-visible) { outline-color: var(--neutral-400); }
.cells [data-mark] { outline-color: var(--color-accent); }
.cells [data-mark]::after { position: absolute; top: 2px; left: 6px; content: attr(data-mark); font-size: 12px;
    font-weight: 700; line-height: 1.3; color: var(--color-accent); }

#own-hand { gap: 36px; align-items: flex-start; }
#pad { flex: none; width: 282px; }
#pad canvas { display: block; width: 100%; aspect-ratio: 1; border: 1px solid var(--border-color-primary);
    border-radius: 10px; background: white; cursor: crosshair; touch-action: none; }
.dark #pad canvas { background: #e8e8e8; filter: invert(1); }
#pad .clear { width: 100%; margin-top: 8px; padding: 7px; border: none; border-radius: 6px; font-size: 14px;
    background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color); cursor: pointer; }
#pad .clear:hover { background: var(--button-secondary-background-fill-hover); }
#drawn-label { padding: 0 !important; border: none !important; background: transparent; }
#own-hand .form { border: none; background: transparent; }
#written .notice { margin: 0; padding: 10px 12px; border-left: 3px solid var(--color-accent); border-radius: 6px;
    background: var(--background-fill-secondary); }
.reading { display: flex; align-items: center; gap: 14px; margin-bottom: 12px; }
.reading p { margin: 0; }
.reading small { font-size: 13px; color: var(--body-text-color-subdued); }
.reading img { flex: none; width: 84px; margin: 0; border-radius: 6px; image-rendering: pixelated; }

@media (max-width: 1150px) {
    #empty .html-container { min-height: 0; }
    #controls { grid-template-columns: 1fr 1fr; }
    #draw { grid-column: 1 / -1; }
}
@media (max-width: 700px) {
    #colourings .grid-container { --grid-cols: 2 !important; }
    #controls { grid-template-columns: 1fr; }
    #download { flex: 1 1 100%; }
    #digits-tab { gap: 18px; }
    #digits-tab h2 small { display: block; margin: 2px 0 0; }
    #digits, #digits > .column:first-child { gap: 16px; }
    #written-digits { display: contents; }
    #digits > .column:first-child { order: 1; }
    #grid { position: sticky; top: 0; z-index: 60; background: var(--body-background-fill); }
    .cells { --room: 46svh; }
    #axes { grid-template-columns: 1fr; }
    #digit-draw { grid-template-columns: 1fr auto; }
    #digit-draw #temperature { grid-column: 1 / -1; }
    #own-hand { gap: 18px; }
    #pad { width: 100%; max-width: 340px; margin: 0 auto; }
    :is(#between, #written) .row-of-digits { --columns: 5 !important; }
}
"""

# What gradio leaves out: a photograph may be pasted or dropped anywhere on the page, which the browser would otherwise
# leave for it, and the keyboard sets sliders, and the boxes beside them, as the pointer does.
HEAD = """
<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0
 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%238a8a8a'/%3E%3Cpath d='M8 0h4a4 4 0 0 1 4 4v8a4 4 0 0 1-4 4H8z'
 fill='%230d9488'/%3E%3C/svg%3E">
<script>
function give(files) {
    const input = document.querySelector("#upload input[type=file]");
    if (!files?.length || !input?.closest("#upload").offsetParent) return false;
    const one = new DataTransfer();
    one.items.add(files[0]);
    input.files = one.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
}
document.addEventListener("paste", (event) => {
    if (give(event.clipboardData?.files)) event.preventDefault();
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    give(event.dataTransfer?.files);
});
document.addEventListener("keyup", (event) => {
    const keys = { range: /^(Arrow|Page|Home|End)/, number: /^Enter/ };
    if (event.target.matches("input") && keys[event.target.type]?.test(event.key))
        event.target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
});
</script>
"""


def theme() -> gr.themes.Base:
    """Build gradio's theme."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal, neutral_hue=gr.themes.colors.stone, font=SANS, font_mono=MONO
    ).set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        background_fill_secondary="*neutral_100",
        block_border_width="1px",
        block_shadow="none",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        slider_color="*primary_600",
        color_accent="*primary_600",
    )
