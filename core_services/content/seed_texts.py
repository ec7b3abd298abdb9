"""Titles, summaries, paragraphs and comments of the demo seed; who wrote what is up to `seed`.

Words come from mimesis in several languages, so that scripts, directions and lengths vary; a few
titles are picked to hurt whoever cuts, measures, escapes or mirrors text carelessly.
"""

from dataclasses import dataclass
from random import Random

from mimesis import Locale, Text

SEED = 20_261_101
MAX_TITLE = 400

_LANGUAGES = (
    (Locale.EN, 12),
    (Locale.DE, 2),
    (Locale.ES, 2),
    (Locale.FR, 2),
    (Locale.JA, 2),
    (Locale.KO, 1),
    (Locale.RU, 1),
    (Locale.ZH, 1),
    (Locale.FA, 1),
)
_FRAMES = (
    "{} and {}",
    "Why {} needs {}",
    "{}: a field guide to {}",
    "The quiet return of {} in {}",
    "From {} to {}",
    "What {} taught us about {}",
    "{} or {}?",
)
_REMARKS = ("👏👏👏", "😂", "+1", "ok", "שלום, תודה רבה!", "❤️‍🔥 so good", "…", "^ this", "١٢٣")

HARD_TITLES = (
    "👩🏽‍🚀 Life in orbit 🛰️: a day aboard 👨‍👩‍👧‍👦",
    "מדריך קצר לצילום לילה (חלק 2)",
    "كيف تبني تطبيقًا يعمل دون اتصال؟ — مقدمة سريعة",
    "English, then עברית, then English: 100% \u2067مختلط\u2069 direction",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    '<b>Bold</b> & "quoted" \\back\\slash\\ %s {0} ${jndi:x} \'; DROP TABLE items; --',
    "A title with a line\u2028separator, a tab\tand a non\u00a0breaking space",
    "I",
    "ﷺ ﷽ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕥𝕚𝕥𝕝𝕖 ½ Ⅷ ﬁ",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 4,
    "🇺🇦🇯🇵🏴󠁧󠁢󠁳󠁣󠁴󠁿 flags, 1️⃣ keycaps, ☎︎ and ☎️",
    "ไทยไม่มีช่องว่างระหว่างคำจึงตัดบรรทัดได้ยาก",
    "हिन्दी में एक लंबा शीर्षक जो कई पंक्तियों में टूटता है और संयुक्ताक्षर रखता है",
    "null",
    "0",
    "The longest title that is allowed: " + "and so on, " * 33 + "end",
)


@dataclass(frozen=True)
class Pool:
    """Ready-made texts of one language: generating each anew would take most of the seed's time."""

    titles: list[str]
    summaries: list[str]
    paragraphs: list[str]
    remarks: list[str]


class Library:
    """The pools of all languages, drawn from by weight; the same for the same state of `random`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pools = [_pool(locale, random) for locale, _ in _LANGUAGES]
        self._weights = [weight for _, weight in _LANGUAGES]

    def pick(self) -> Pool:
        """The texts of the next language."""
        return self._random.choices(self._pools, weights=self._weights)[0]


def _pool(locale: Locale, random: Random) -> Pool:
    source = Text(locale, seed=SEED)
    quotes = [source.quote() for _ in range(150)]
    # Some languages answer one placeholder word for every sentence: their quotes stand in.
    sentences = [text for text in {source.sentence(): 0 for _ in range(200)} if len(text) > 6]
    sentences += quotes[: 150 if len(sentences) < 10 else 20]
    return Pool(
        titles=[_title(source, locale, quotes, random)[:MAX_TITLE] for _ in range(2_500)],
        summaries=[" ".join(random.sample(sentences, random.randint(1, 3))) for _ in range(200)],
        paragraphs=[" ".join(random.sample(sentences, random.randint(2, 7))) for _ in range(300)],
        remarks=[*_REMARKS, *(quote[:1000] for quote in quotes)],
    )


def _title(source: Text, locale: Locale, quotes: list[str], random: Random) -> str:
    if locale is not Locale.EN:
        return random.choice(quotes)
    if random.random() < 0.25:
        return source.quote()
    # Words may repeat in this language's small vocabulary: frames make up for it.
    first, second = source.words(2)
    text = random.choice(_FRAMES).format(first, second)
    return text[:1].upper() + text[1:]
