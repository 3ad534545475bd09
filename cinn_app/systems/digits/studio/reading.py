"""What the digits tab says of a drawn digit: what it was taken for, how sure the model is, and of what else."""

from torch import Tensor

from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import Restyled
from cinn_app.systems.digits.studio.markup import picture

__all__ = ["notice", "reading"]

HEADING = later("<h3>What is this digit?</h3>")
SURE = later("How probable each digit is, by Bayes' rule, from the likelihoods under all ten.")
A, AN = later("a {digit}"), later("an {digit}")
DOUBT = later("These only compare ten digits with each other; of what is no digit they say nothing.")


def reading(image: Tensor, restyled: Restyled, usual: float) -> str:
    """Show what the model saw, what it took it for, and the probabilities of all ten digits as bars.

    Args:
        image: uint8, ``(28, 28)``.
        restyled: what became of it.
        usual: its typicality, as :meth:`DigitGenerator.typicality` finds it.
    """
    shown = picture(image, tr("The drawing as the model sees it"))
    seen = f'<div class="seen-in-ink"><div class="ink">{shown}</div></div>'
    place = tr(
        "On the left, what the model saw. {share} of the model's own digits look less usual.", share=_percent(usual)
    )
    found = f"<p>{_told(restyled)}<br><small>{place}</small></p>"
    return f'{tr(HEADING)}<div class="judged"><div class="reading">{seen}{found}</div>{_chances(restyled)}</div>'


def notice(sentence: str) -> str:
    """Show a sentence in place of what cannot be shown."""
    return f'<p class="notice">{sentence}</p>'


def _told(restyled: Restyled) -> str:
    label = restyled.label
    (first, second), (most, next_most) = (values.tolist() for values in reversed(restyled.probabilities.topk(2)))
    if restyled.doubtful:  # the model knows nothing but digits, so how sure it is says nothing
        doubt = later("<b>Taken for {digit}</b>, but it hardly looks like one. Draw one digit alone, clearly.")
        return tr(doubt, digit=_with_article(label))
    if first == label:
        told = later("<b>Read as {first}</b>, {sure} sure; next would be {second}, {next}.")
    else:
        told = later(
            "<b>Taken for {digit}</b>, as you say. Alone it reads {first}, {sure} sure; next would be {second}, {next}."
        )
    return tr(
        told,
        digit=_with_article(label),
        first=_with_article(first),
        sure=_percent(most),
        second=_with_article(second),
        next=_percent(next_most),
    )


def _chances(restyled: Restyled) -> str:
    rows = "".join(
        f'<li class="{_role(digit, restyled)}"><b>{digit}</b>'
        f'<span class="bar"><span style="width: {100 * share:.2f}%"></span></span><span>{_percent(share)}</span></li>'
        for digit, share in enumerate(restyled.probabilities.tolist())
    )
    doubtful = " doubtful" if restyled.doubtful else ""
    told = tr(DOUBT if restyled.doubtful else SURE)
    return (
        f'<div class="chances{doubtful}"><ol aria-label="{tr("Probability of each digit")}">{rows}</ol>'
        f"<small>{told}</small></div>"
    )


def _role(digit: int, restyled: Restyled) -> str:
    return "taken" if digit == restyled.label else "other"


def _with_article(digit: int) -> str:
    return tr(AN if digit == 8 else A, digit=digit)


def _percent(share: float) -> str:
    """Round to tenths, and never to what would be certain or impossible."""
    if share > 0.999:
        return tr("over 99.9\N{NO-BREAK SPACE}%")
    if share < 0.001:
        return tr("under 0.1\N{NO-BREAK SPACE}%")
    return tr("{percent:.1f}\N{NO-BREAK SPACE}%", percent=100 * share)
