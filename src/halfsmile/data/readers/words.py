"""Words that folders, tables and columns are called by: splits, expressions, and numbers for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePath
from unicodedata import normalize

from halfsmile.taxonomy import AFFECTNET7, AFFECTNET8, FER2013, FERPLUS, RAFDB, TAXONOMIES

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "trainset": "train",
    "trainingset": "train",
    "trn": "train",
    "valid": "valid",
    "val": "valid",
    "valset": "valid",
    "validation": "valid",
    "validationset": "valid",
    "validate": "valid",
    "dev": "valid",
    "devset": "valid",
    "development": "valid",
    "publictest": "valid",
    "test": "test",
    "tests": "test",
    "testset": "test",
    "tst": "test",
    "testing": "test",
    "privatetest": "test",
} | {
    word: split
    for split, words in {
        "train": "trainingsdaten trainingsset entraînement entrainement apprentissage entrenamiento "
                 "treino treinamento addestramento 训练 训练集 訓練 訓練集 学習 "
                 "обучение тренировка 훈련 학습 eğitim treningowe",
        "valid": "validierung validierungsdaten validación validacion validação validacao validazione "
                 "convalida 验证 验证集 驗證 驗證集 検証 валидация 검증 doğrulama walidacyjne",
        "test": "testdaten testmenge prueba pruebas teste 测试 测试集 測試 測試集 テスト "
                "тест 테스트 시험 testowe",
    }.items()
    for word in words.split()
}  # fmt: skip
"""Split by its name without capitals, blanks and marks."""

_OTHER_WORDS = {
    "anger": "angry wut wütend wuetend zorn zornig ärger aerger verärgert colère colere fâché "
             "enojo enojado enfado enfadado rabia rabbia arrabbiato raiva zangado 愤怒 生气 "
             "boos boosheid złość zlosc gniew злость гнев kızgın kizgin öfke ofke 怒り 분노 화남",
    "contempt": "contemptuous verachtung verächtlich mépris mepris desprecio disprezzo desprezo 轻蔑 "
                "minachting pogarda презрение 軽蔑 경멸",
    "disgust": "disgusted ekel angeekelt dégoût degout asco disgusto nojo 厌恶 "
               "walging wstręt wstret obrzydzenie отвращение iğrenme igrenme 嫌悪 혐오",
    "fear": "afraid fearful scared angst ängstlich aengstlich furcht peur miedo temor paura medo 恐惧 害怕 "
            "strach страх korku korkmuş korkmus 恐れ 恐怖 공포 두려움",
    "happiness": "happy joy joyful smile smiling freude froh fröhlich froehlich glücklich gluecklich joie "
                 "heureux feliz felicidad alegría alegria gioia felicità felicita felicidade "
                 "高兴 快乐 blij blijdschap radość radosc szczęście szczescie радость счастье mutlu mutluluk "
                 "喜び 幸福 기쁨 행복",
    "neutral": "natural neutre neutro neutra neutrale 中性 平静 neutraal neutralny neutralna "
               "neutralne нейтральное нейтральный нейтрально nötr notr 中立 無表情 중립 무표정",
    "sadness": "sad traurig trauer traurigkeit triste tristesse tristeza tristezza 悲伤 伤心 "
               "verdrietig verdriet smutek smutny грусть печаль üzgün uzgun 悲しみ 슬픔",
    "surprise": "surprised suprise suprised überraschung ueberraschung überrascht sorpresa sorprendido "
                "surpris surpresa surpreso 惊讶 吃惊 "
                "verrast verrassing zaskoczenie zdziwienie удивление şaşkın saskin 驚き 놀람",
}  # fmt: skip
SYNONYMS = {word: label for label, words in _OTHER_WORDS.items() for word in words.split()}
"""Other words for expressions, as people name folders in several languages; nothing is renamed by itself."""

EXPRESSIONS = {label for taxonomy in TAXONOMIES.values() for label in taxonomy.labels} | SYNONYMS.keys() | {
    "annoyed", "calm",
}  # fmt: skip
"""Words that a label is known by, in English and in the languages of :data:`SYNONYMS`."""
_ENGLISH = {label for taxonomy in TAXONOMIES.values() for label in taxonomy.labels} | frozenset(
    ("angry", "contemptuous", "disgusted", "afraid", "fearful", "scared", "happy", "joy", "joyful", "smile",
     "smiling", "natural", "sad", "surprised", "annoyed", "calm")
)  # fmt: skip
"""Words that misspelt ones are looked for among: short ones of many languages are near to anything."""
NO_EXPRESSION = frozenset(
    ("none", "unknown", "undefined", "unclear", "unsure", "not sure", "uncertain", "no face", "no_face",
     "noface", "nf", "invalid")
)  # fmt: skip
"""Words of classes that are no expression."""
LABELED = frozenset(("labeled", "labelled"))
UNLABELED = frozenset(("unlabeled", "unlabelled", "nolabel", "nolabels", "withoutlabel", "withoutlabels"))

NUMBERINGS: dict[str, dict[str, str | None]] = {
    "rafdb": {str(number): label for number, label in enumerate(RAFDB.labels, 1)},
    **{
        taxonomy.name: {str(number): label for number, label in enumerate(taxonomy.labels)}
        for taxonomy in (AFFECTNET7, AFFECTNET8, FER2013, FERPLUS)
    },
}
"""What numbers stand for in published data sets, by their taxonomy's name; None is no expression."""
NUMBERINGS["ckplus"] = {
    str(number): label
    for number, label in enumerate(
        ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    )
}
NUMBERINGS["affectnet8"] |= dict.fromkeys(("8", "9", "10"))  # none, uncertain, no face
NUMBERINGS["affectnet7"] |= dict.fromkeys(("7", "8", "9", "10"))

MAX_NUMBER = 11
_NEAR = 0.75
_NEUTRAL = frozenset(
    ("set", "sets", "data", "dataset",
      "image", "images", "img", "imgs", "picture", "pictures", "pics", "face",
     "faces",
     "split", "class", "classes", "folder", "dir", "part", "crop", "crops", "aligned", "cropped", "orig",
     "original", "fer", "ferplus", "fer2013", "raf", "rafdb", "db", "affectnet", "expression", "emotion")
)  # fmt: skip
_FER2013_TEST = re.compile(r"(public|private)[\s_-]*test", re.IGNORECASE)
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_TOKENS = re.compile(
    rf"[{_LATIN}]*(?![A-Za-z])[{_LATIN}][{_LATIN}]*|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_{_LATIN}]+"
)
"""Words, numbers, and parts of ``CamelCase`` where all letters are of English; scripts are words apart."""
_NUMBER = re.compile(r"(?:class|label|emotion|expression|expr|cls|c)?[\s_.-]*0*(\d{1,2})", re.IGNORECASE)
_LISTED = re.compile(r"[,;|/+&]")
_RAFDB_PICTURE = re.compile(r"(train|test)_\d{4,6}(_aligned)?", re.IGNORECASE)


def composed(name: str) -> str:
    """A name whose accents are one with their letters: macOS takes them apart in the names of files."""
    return name if name.isascii() else normalize("NFC", name)


def split_of(name: str) -> str | None:
    """The split that a folder is named after, in any case and with usual words beside it; None for others.

    Example:
        >>> split_of("PrivateTest"), split_of("val_set"), split_of("FER2013Train"), split_of("test person")
        ('test', 'valid', 'train', None)
    """
    name = composed(name)
    whole = "".join(letter for letter in name.casefold() if letter.isalpha())
    if whole in SPLIT_NAMES:
        return SPLIT_NAMES[whole]
    found, others = _tokens(_joined(name), SPLIT_NAMES)
    return found[0] if len(set(found)) == 1 and not others else None


def split_in(stem: str) -> str | None:
    """The one split that the name of a file tells among other words; None where it tells none or two.

    Example:
        >>> split_in("labels_train"), split_in("fer_PublicTest"), split_in("latest"), split_in("train_test")
        ('train', 'valid', None, None)
    """
    known = split_of(stem)
    found = {known} if known else set(_tokens(_joined(stem), SPLIT_NAMES)[0])
    return found.pop() if len(found) == 1 else None


def expression_of(name: str) -> str | None:
    """The expression that a folder is named after; a number in front and usual words beside it don't count.

    Example:
        >>> expression_of("Happy"), expression_of("03_sadness"), expression_of("fear faces")
        ('Happy', 'sadness', 'fear')
        >>> expression_of("happy birthday")
    """
    name = composed(name)
    if name.casefold() in EXPRESSIONS:
        return name
    found, others = _tokens(name, {word: word for word in EXPRESSIONS})
    return found[0] if len(set(found)) == 1 and not others else None


def word_in(stem: str) -> str | None:
    """The one word for an expression among others in a name; None where there is none or there are two.

    Example:
        >>> word_in("x-happy-2"), word_in("test_Happy"), word_in("happy_sad")
        ('happy', 'happy', None)
    """
    letters = "".join(letter if letter.isalpha() else " " for letter in composed(stem).casefold())
    found = [word for word in letters.split() if word in EXPRESSIONS]
    return found[0] if len(set(found)) == 1 else None


def meaning_of(name: str) -> str | None:
    """The expression that a class is a word for, in any form or language; None for other names.

    Example:
        >>> meaning_of("Happy"), meaning_of("freude"), meaning_of("fearful faces"), meaning_of("anna")
        ('happiness', 'happiness', 'fear', None)
    """
    word = expression_of(name)
    return None if word is None else SYNONYMS.get(word.casefold(), word.casefold())


def misspelt(name: str) -> str | None:
    """The English word for an expression that a name is nearly; None where it is a word for one, or is none.

    Example:
        >>> misspelt("hapiness"), misspelt("Fera"), misspelt("happy"), misspelt("nosmile")
        ('happiness', 'fear', None, None)
    """
    word = name.strip().casefold()
    if not word.isalpha() or not word.isascii() or word in EXPRESSIONS:
        return None
    known = [other for other in sorted(_ENGLISH) if other[0] == word[0]]
    return next(iter(get_close_matches(word, known, 1, _NEAR)), None)


def same_expression(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that are words for one expression, or misspelt ones, in groups of two and more.

    The usual word of a group comes first, and misspelt ones last.

    Example:
        >>> same_expression(["fear", "anger", "Scared", "angr"])
        [('fear', 'Scared'), ('anger', 'angr')]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        if meaning := meaning_of(name) or meaning_of(misspelt(name) or ""):
            groups.setdefault(meaning, []).append(name)
    return [
        tuple(sorted(group, key=lambda name: (name.casefold() != meaning, meaning_of(name) is None)))
        for meaning, group in groups.items()
        if len(group) > 1
    ]


def number_of(name: str) -> str | None:
    """The number of a class that a folder is named after, as text; None for other names.

    Example:
        >>> number_of("3"), number_of("class_07"), number_of("2019"), number_of("99")
        ('3', '7', None, None)
    """
    match = _NUMBER.fullmatch(name)
    return match[1] if match and int(match[1]) <= MAX_NUMBER else None


def is_unlabeled(name: str) -> bool:
    """Whether a folder says that what is in it has no label."""
    return "".join(letter for letter in name.casefold() if letter.isalpha()) in UNLABELED


def meaning_of_numbers(numbers: Collection[str], images: Iterable[str]) -> dict[str, str | None] | None:
    """What numbers stand for where the pictures' own names tell the data set; None where nothing does.

    RAF-DB's pictures are named ``train_00001_aligned.jpg`` or ``test_0001.jpg``, and its classes count from
    1.
    """
    if not set(numbers) <= NUMBERINGS["rafdb"].keys():
        return None
    stems = [PurePath(image).stem for image in images]
    return NUMBERINGS["rafdb"] if stems and all(map(_RAFDB_PICTURE.fullmatch, stems)) else None


def are_numbered_as_rafdb(names: Mapping[str, str | None]) -> bool:
    """Whether numbers have the names that RAF-DB has for them."""
    return bool(names) and names.items() <= NUMBERINGS["rafdb"].items()


def split_of_picture(image: str) -> str | None:
    """The split that the name of one of RAF-DB's pictures begins with; None for other names."""
    match = _RAFDB_PICTURE.fullmatch(PurePath(image).stem)
    return match[1].casefold() if match else None


def are_rafdb(images: Sequence[str], splits: Sequence[str | None]) -> bool:
    """Whether pictures are those of RAF-DB in its own splits, by their names."""
    pairs = zip(images, splits, strict=True)
    return bool(images) and all(
        split is not None and split_of_picture(image) == split for image, split in pairs
    )


def how_to_name(numbers: Collection[str], unlabeled: str = "") -> str:
    """What to type where numbers stand for classes and nothing says which."""
    ordered = sorted(set(numbers), key=lambda text: (float(text), text))
    known = [name for name, numbering in NUMBERINGS.items() if set(ordered) <= numbering.keys()]
    orders = "; ".join(
        f"{name}: " + ", ".join(f"{number}={label or 'none'}" for number, label in NUMBERINGS[name].items())
        for name in known
    )
    first = f"--label-names {ordered[0]}=neutral" + (" …" if len(ordered) > 1 else "")
    text = f"Say what they mean: {first} names each (=none drops it)"
    if known:
        text += f", --label-names {known[0]} takes the order of a published set ({orders})"
    return f"{text}.{unlabeled}"


def _joined(name: str) -> str:
    """A name whose ``PublicTest`` and ``PrivateTest`` are one word each."""
    return _FER2013_TEST.sub(lambda found: f" {found[1]}test ".lower(), name)


def _tokens(name: str, words: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The known words of a name, translated, and those that are neither known nor without meaning."""
    tokens = [token.casefold() for token in _TOKENS.findall(name)]
    found = [words[token] for token in tokens if token in words]
    others = [t for t in tokens if t not in words and t not in _NEUTRAL and not t.isdecimal()]
    return found, others


def lists_expressions(label: str) -> bool:
    """Whether a label is a list of several expressions, as ``happy, surprised``."""
    parts = [part.strip().casefold() for part in _LISTED.split(label)]
    return len(parts) > 1 and all(part in EXPRESSIONS for part in parts)
