"""What the colorize tab says, but for a few words here and there."""

from cinn_app.studio.language import later

__all__ = [
    "ALL",
    "COUNTED",
    "EMPTY",
    "HELP",
    "LACKS",
    "MANY",
    "PACKING",
    "PHOTOGRAPHS",
    "PLACEHOLDER",
    "RESTORED",
    "RESTORED_ALIKE",
    "STARTED_OVER",
    "TRIED",
]

PLACEHOLDER = later("Drop or paste photographs\nor click to choose")
PHOTOGRAPHS = later("Your photographs")
TRIED = later("Tried before")
ALL = later("Download all")
COUNTED = later("{count} photographs <small>{coloured} coloured</small>")
STARTED_OVER = later("Clear")
PACKING = later("Painting {number} of {count} …")
MANY = later("Of {given} files the first {taken} were taken.")
RESTORED = later("It was coloured here, and its settings are back.")
RESTORED_ALIKE = later("It was coloured here, and its settings are back, but for {lacks}.")
#: What cannot be brought back, by what a mark lacks.
LACKS = {
    "weights": later("the model's weights, which were others"),
    "reference": later("the picture whose colours it took on"),
    "kept": later("the part that was kept"),
    "hints": later("the hints, which do not fit its size"),
    "axes": later("an axis that this model has not got"),
    "temperature": later("a temperature of its own for each scale"),
    "range": later("what lies beyond the controls"),
}

EMPTY = later("""
<h2>See it in colour</h2>
<p>Nobody knows which colours a gray photograph had. So you get <b>four plausible answers</b> and choose.</p>
<ol>
  <li><b>Give a photograph</b> of any size and shape, or try one of the samples.</li>
  <li><b>Pick the colouring</b> that you like best. None of them? Roll the dice.</li>
  <li><b>Compare and keep it</b> at full size, as vivid as you want it.</li>
</ol>
""")
HELP = later("""
**Bits/dim** tell how likely the model finds a colouring. Fewer are more likely, but likely colours are only the usual
ones, not always the right ones.

**Vividness** makes the same colours weaker or stronger. Light and shade always stay those of your photograph.

**Variety** lets the four differ more from each other: it is the temperature of sampling. Too much gets garish.

**Steering** asks for more: sliders move all colours, clicks say which colour a thing has, another picture lends its
mood, and what is painted over stays while the rest is drawn anew.

**Where the four differ** is where the photograph alone does not tell its colours.

The same **seed** with the same variety gives the same colours again.
""")
