"""What exports call their columns, in several languages. Values only.

A name is compared without case, accents, brackets, blanks and punctuation. Of two columns with a name of one role the one
whose name stands earlier here is meant; volumes are told apart by their values.
"""

from __future__ import annotations

import re
import unicodedata

_TIME = """
    ts timestamp opentime unix unixtime unixtimestamp epoch time datetime date datetimeutc dateutc timeutc timestamputc
    timestampms opentimems opentimeutc utctime gmttime utc timegmt dategmt candlebegintime begintime starttime start
    barstart periodstart localtime snapped tradedate tradingday day dtyyyymmdd yyyymmdd
    zeit zeitstempel datum datumzeit datumuhrzeit uhrzeit eroffnungszeit
    fecha hora fechahora heure horodatage dateheure ora dataora dataorario data tijd datumtijd dataehora czas
    tid dato tidspunkt cas tarih saat дата время датавремя 时间 時間 日期 日時 日付 日付時刻 开盘时间 날짜 시간
"""
_OPEN = """
    open o openprice opening priceopen open1 first eroffnung eroffnungskurs eroffnungspreis erster anfang ouverture ouv
    premier apertura aper abertura abert otwarcie oppning apning avaus acilis открытие откр ценаоткрытия 开盘 开盘价 開盤
    開盤價 始値 시가 openingprice
"""
_HIGH = """
    high h highprice pricehigh max maximum highest hoch hochst hochster hochstkurs hochkurs tageshoch haut plushaut
    maximo massimo max alto hoog hoogste najwyzszy hog hoyeste yuksek максимум макс наибольшая 最高 最高价 最高價 高値 고가
"""
_LOW = """
    low l lowprice pricelow min minimum lowest tief tiefst tiefster tiefstkurs tiefkurs tagestief niedrig bas plusbas
    minimo minimo bajo laag laagste najnizszy lag laveste dusuk минимум мин наименьшая 最低 最低价 最低價 安値 저가
"""
_CLOSE = """
    close c closeprice closing priceclose closelast last lastprice schluss schlusskurs schlusspreis letzter ende cloture clot
    fermeture dernier cierre ultimo chiusura fechamento fech slot slotkoers zamkniecie stangning slutt kapanis закрытие закр
    ценазакрытия 收盘 收盘价 收盤 收盤價 終値 종가 price kurs prix precio prezzo preco цена
"""
_VOLUME = """
    volume vol v volumebase basevolume volumefrom baseassetvolume basevol volbase qty quantity size volumen umsatz stuck
    stuckzahl handelsvolumen tradevolume volumes volumetraded volym volum wolumen hacim объем обьем объём 成交量 出来高 거래량
    tickvol tickvolume realvolume
"""
_QUOTE = """
    quotevolume quoteassetvolume volumequote volumeto turnover amount value quotevol volquote volccyquote volccy
    成交额 成交額 takerbuyquoteassetvolume takerbuyquotevolume
"""
_SYMBOL = """
    symbol symbols pair tradingpair ticker tic instrument instrumentid productid market marketid coin asset contract
    symbolid wertpapier paar valeur simbolo activo par handelspaar инструмент тикер 交易对 銘柄
"""
_INTERVAL = "interval timeframe resolution period granularity frame per intervall zeiteinheit"
_VENUE = "exchange venue borse boerse source bolsa platz 交易所"
_CLOSETIME = "closetime closetimeutc closetimems endtime candleendtime periodend timeclose barend 收盘时间"


def plain(name: str) -> str:
    """Return a column's name without case, accents, brackets, blanks and punctuation."""
    folded = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss").replace("ł", "l").replace("ø", "o"))
    return re.sub(r"[\W_]+", "", "".join(c for c in folded if not unicodedata.combining(c)))


def _ranked(words: str) -> dict[str, int]:
    return {plain(word): rank for rank, word in reversed(list(enumerate(words.split())))}


NAMES = {
    "time": _ranked(_TIME),
    "open": _ranked(_OPEN),
    "high": _ranked(_HIGH),
    "low": _ranked(_LOW),
    "close": _ranked(_CLOSE),
    "volume": _ranked(_VOLUME),
    "quote": _ranked(_QUOTE),
    "symbol": _ranked(_SYMBOL),
    "interval": _ranked(_INTERVAL),
    "venue": _ranked(_VENUE),
    "closetime": _ranked(_CLOSETIME),
}
MONTHS = {
    plain(word): number
    for number, words in enumerate(
        (
            "jan january januar jän jänner janvier janv enero ene gennaio gen janeiro januari",
            "feb february februar février févr fév febrero febbraio fevereiro fev februari",
            "mar march märz mär mrz mars marzo março maart mrt",
            "apr april avril avr abril abr aprile",
            "may mai mayo maggio mag maio mei",
            "jun june juni juin junio giugno giu junho",
            "jul july juli juillet juil julio luglio lug julho",
            "aug august août aoû agosto ago augustus",
            "sep sept september septembre septiembre settembre set setembro",
            "oct october okt oktober octobre octubre ottobre ott outubro out",
            "nov november novembre noviembre novembro",
            "dec december dez dezember décembre déc diciembre dic dicembre dezembro december",
        ),
        1,
    )
    for word in words.split()
}
_NAMED_VOLUME = re.compile(r"^(?:volume|vol|volumen)[a-z0-9]{2,10}$")


def role_of(name: str) -> str:
    """Return the role that a column's name stands for, an empty string where it is none of ours."""
    word = plain(name)
    for role, words in NAMES.items():
        if word in words:
            return role
    return "volume" if _NAMED_VOLUME.match(word) else ""


def rank_of(name: str, role: str) -> int:
    """Return how usual a name is for its role, 0 the most."""
    return NAMES[role].get(plain(name), len(NAMES[role]))


def says_utc(name: str) -> bool:
    """Return whether a column's name says that its times are UTC (``Gmt time``, ``Date (UTC)``)."""
    return bool({"utc", "gmt"} & set(re.split(r"[\W_]+", name.casefold()))) or plain(name) in ("utctime", "gmttime")


def is_header(cells: list[str]) -> bool:
    """Return whether a row names columns: at least three of the four prices, or a time and a price by name."""
    roles = {role_of(cell) for cell in cells}
    return len(roles & {"open", "high", "low", "close"}) >= 3 or ("time" in roles and bool(roles & {"close", "open"}))


def market_of(symbol: str) -> str:
    """Return a market's name in which spellings of one market are equal: ``XBT/EUR``, ``btc-eur`` and ``BTCEUR``."""
    name = re.sub(r"[^A-Z0-9:]+", "", symbol.upper()).replace("XBT", "BTC")
    return {"XBTCZEUR": "BTCEUR", "XBTCZUSD": "BTCUSD", "XETHZEUR": "ETHEUR", "XETHZUSD": "ETHUSD"}.get(
        name, re.sub(r":.*$", "", name) if name.partition(":")[2] in name.partition(":")[0] else name
    )
