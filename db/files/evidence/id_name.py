"""Whether a column's name says that it identifies the rows, or what else its numbers are."""

from __future__ import annotations

import re
import unicodedata

MAX_HEADER_CHARACTERS = 200

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words that always speak for an id, those that do at the end of a name, and those that do alone.
_ID_WORDS = frozenset(
    (
        *("id", "ids", "uuid", "guid", "identifier", "identifiant", "kennung", "matricule"),
        *("ean", "gtin", "isbn", "sku", "barcode", "imei", "siret", "siren", "iban"),
    )
)
_LAST_WORDS = frozenset(("ref", "reference", "key"))
_PHONE_WORDS = frozenset(("phone", "telephone", "tel", "mobile", "fax", "telefon", "telefono"))
# Words that do so after or before what is numbered: order_no, but not zip_code.
_NUMBER_WORDS = frozenset(("no", "nr", "num", "number", "nummer", "numero", "code"))
_ONLY_WORDS = frozenset(("index", "idx", "row", "rownames", "rownum"))
_OWNERS = frozenset(
    (
        *("customer", "user", "client", "order", "product", "employee", "patient", "person"),
        *("record", "passenger", "item", "transaction", "account", "session", "case", "student"),
        *("sample", "row", "invoice", "ticket", "policy", "booking", "contract", "serial", "roll"),
        *("registration", "line", "member", "kunden", "rechnungs", "auftrags", "bestell"),
        *("vertrags", "matrikel", "personal", "artikel", "patienten", "beleg", "commande"),
        *("facture", "dossier", "contrat", "cliente", "pedido", "factura", "ordine"),
        *("versuchs", "proben", "experiment", "test"),
    )
)
_TIME_WORDS = frozenset(
    (
        *("year", "yr", "month", "week", "day", "hour", "minute", "time", "period", "quarter"),
        *("jahr", "monat", "woche", "tag", "stunde", "annee", "an", "mois", "jour", "heure"),
        *("ano", "anno", "mes", "dia", "hora", "decade", "date", "datum", "fecha", "data"),
    )
)
_MEASURE_WORDS = frozenset(
    (
        *("area", "size", "age", "price", "cost", "amount", "weight", "height", "length", "width"),
        *("depth", "temp", "temperature", "dose", "concentration", "conc", "distance", "speed"),
        *("income", "salary", "rent", "score", "rank", "level", "count", "total", "quantity"),
        *("qty", "visitors", "visits", "sales", "views", "km", "m", "m2", "kg", "cm", "mm", "ml"),
        *("surface", "flache", "alter", "preis", "prix", "poids", "taille", "gewicht", "lange"),
        *("menge", "anzahl", "quantite", "nombre", "superficie", "peso", "edad", "precio"),
    )
)
# Names of columns without a header, as this program and pandas write them.
_UNNAMED = frozenset(("column_1", "unnamed: 0", "#", ""))


def name_parts(name: str) -> list[str]:
    """Return the words in a name such as orderNo, order_no or "Order No.", in lower case ASCII."""
    short = unicodedata.normalize("NFKD", name[:MAX_HEADER_CHARACTERS].replace("°", "o "))
    plain = short.encode("ascii", "ignore").decode()
    return [part.lower() for part in _PART.findall(plain)]


def is_id_name(name: str) -> bool:
    """Return whether a column's name says that it identifies the rows."""
    all_parts = name_parts(name)
    parts = [part for part in all_parts if not part.isdigit()]
    if name.strip().lower() in _UNNAMED:
        return True
    if not parts:
        return False
    if _ID_WORDS & set(parts) or parts[-1] in _LAST_WORDS:
        return True
    if len(parts) == 1 and len(all_parts) == 1:
        return parts[0] in _ONLY_WORDS | _NUMBER_WORDS or _is_joined(parts[0])
    return _is_joined(parts[-1]) or _numbers_owner(parts)


def _is_joined(word: str) -> bool:
    """Return whether a word is one such as customerid or kundennummer."""
    return any(word.endswith(last) and word[: -len(last)] in _OWNERS for last in _JOINED)


_JOINED = ("id", *sorted(_NUMBER_WORDS))


def _numbers_owner(parts: list[str]) -> bool:
    """Return whether a name numbers things, as order_no and no_client do, and rooms_no does not."""
    is_last = parts[-1] in _NUMBER_WORDS and parts[-2:-1] and parts[-2] in _OWNERS
    return bool(is_last) or (parts[0] in _NUMBER_WORDS and parts[1:2] != [] and parts[1] in _OWNERS)


def repeats_as_id(name: str) -> bool:
    """Return whether a column's name is that of ids which may stand in several rows."""
    parts = [part for part in name_parts(name) if not part.isdigit()]
    if parts[-1:] == ["code"] and len(parts) > 1:
        return True
    return (
        is_id_name(name)
        and bool(parts)
        and not set(parts) & {*_ONLY_WORDS, "key"}
        and (len(parts) > 1 or parts[0] not in _NUMBER_WORDS)
    )


def is_time_name(name: str) -> bool:
    """Return whether a column's name says that its whole numbers are years, hours and so on."""
    return bool(_TIME_WORDS & _singulars(name)) and not is_id_name(name)


def is_measure_name(name: str) -> bool:
    """Return whether a column's name says that its numbers are amounts."""
    is_count = name_parts(name)[:2] in (["number", "of"], ["no", "of"], ["nombre", "de"])
    return (is_count or bool(_MEASURE_WORDS & _singulars(name))) and not is_id_name(name)


def _singulars(name: str) -> set[str]:
    """Return the words of a name, and without their last s."""
    parts = name_parts(name)
    return {*parts, *(part.removesuffix("s") for part in parts)}


def is_phone_name(name: str) -> bool:
    """Return whether a column's name says that its numbers are those of telephones."""
    return bool(_PHONE_WORDS & set(name_parts(name)))
