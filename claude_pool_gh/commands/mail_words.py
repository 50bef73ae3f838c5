# ruff: noqa: RUF001, E501
"""The words by which mail programs announce a quoted message, in the languages that they speak. All in small letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

WROTE: Final = re.compile(
    # as words
    r"(?<!\w)(?:wrote|writes|said|schrieb|écrit|escribió|escribio|scritto|scrive|escreveu|schreef|napisał|napisała"
    r"|napisał\(a\)|pisze|skrev|kirjoitti|napsal|napsala|napsal\(a\)|napísal|napísala|napísal\(a\)|írta|scris|пишет"
    r"|написал|написала|написал\(а\)|писал|писала|пише|написав|написа|έγραψε|yazdı|yazdi|napisao|napisala|napisal"
    r"|napisal/a|написао|escriure|rašė|rakstīja|kirjutas|menulis|viết|idatzi|skrifaði)(?!\w)"
    # in scripts that put words together
    r"|เขียน|כתב|מאת|كتب|نوشت|写道|寫道|書きました|のメール|작성|썼습니다"
)
WROTE_AT_END: Final = re.compile(
    r"(?:書きました|썼습니다|写道|寫道|\bwrote|\bschrieb|nachfolgendes?)[.。]?$"
)
"""Where programs leave the colon out."""

FORWARDED: Final = re.compile(
    r"(?:begin forwarded message|anfang der weitergeleiteten nachricht|début du message réexpédié"
    r"|inicio del mensaje reenviado|inizio messaggio inoltrato|begin doorgestuurd bericht"
    r"|início da mensagem reencaminhada|vidarebefordrat brev|videresendt meddelelse|początek przekazywanej wiadomości"
    r"|начало переадресованного сообщения|転送されたメッセージ|下面是被转发的邮件|以下是轉寄的郵件|전달된 메시지 시작)\s*[:：]"
    r"|quoting .{1,100} \(\d{4}-\d\d-\d\d[\d :.+-]*\)$|(?:reformatted )?excerpts from .{1,100}'s message of .{0,60}\d.{0,60}$"
    r"|(?:original message|ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale"
    r"|mensagem original|oorspronkelijk bericht|ursprungligt meddelande|原始邮件|原始郵件|元のメッセージ|원본 메시지)$"
)

FOOTERS: Final = re.compile(
    # GitHub's own
    r"[—-]?\s*reply to this email directly|you are receiving this because|message id: ?<"
    r"|triage notifications on the go with github mobile|view it on github<?"
    # of phones and programs
    r"|(?:sent from my |sent from (?:outlook|mail|yahoo|aol|samsung|proton|gmail|mailspring|spark|superhuman|thunderbird)"
    r"|sent (?:with|via|using) |get outlook for |von meinem .{2,40} gesendet|gesendet (?:von|mit|aus) "
    r"|envoyé (?:de mon|à partir|depuis|avec) |obtenir outlook pour |enviado (?:desde|do meu|de mi|con) |inviato da"
    r"|(?:verzonden|verstuurd) (?:vanaf|met) |skickat från |sendt fra |lähetetty |wysłan[eo] z |odesláno z |odoslané z "
    r"|отправлено (?:с|из) |надіслано з |iphone'?umdan gönderildi|στάλθηκε από |iphoneから送信|ipadから送信"
    r"|发自我的|從我的|发自|나의 .{2,20}에서 보냄).{0,60}$"
)

_FIELDS: Final = {
    "from": (
        "from|von|de|da|van|från|fra|lähettäjä|od|от|від|från|από|kimden|gönderen|feladó|de la|expéditeur|remitente"
        "|mittente|remetente|afzender|nadawca|odesílatel|odosielateľ|отправитель|発信元|差出人|送信者|发件人|寄件者|寄件人"
        "|보낸 사람|보낸사람|מאת|من|จาก|từ|dari"
    ),
    "sent": (
        "sent|date|gesendet|datum|envoyé|envoyé le|enviado|enviado el|enviada em|enviado em|data|inviato|fecha|verzonden"
        "|skickat|sendt|dato|lähetetty|päivämäärä|wysłano|odesláno|odoslané|dátum|отправлено|дата|надіслано|εστάλη"
        "|ημερομηνία|gönderildi|gönderilme|tarih|elküldve|trimis|送信日時|日付|日時|发送时间|发送日期|日期|寄件日期|傳送時間"
        "|보낸 날짜|날짜|נשלח|תאריך|تاريخ|تم الإرسال|ส่ง|วันที่|ngày|đã gửi|tanggal|dikirim"
    ),
    "to": (
        "to|cc|bcc|an|à|para|a|aan|till|til|vastaanottaja|do|komu|pre|кому|копия|προς|kime|alıcı|címzett|către|destinataire"
        "|destinatario|destinatário|odbiorca|宛先|收件人|收件者|抄送|받는 사람|받는사람|אל|إلى|ถึง|đến|tới|kepada|copy|kopie"
    ),
    "subject": (
        "subject|re|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|тема|θέμα|konu"
        "|tárgy|subiect|件名|主题|主旨|제목|נושא|الموضوع|เรื่อง|chủ đề|tiêu đề|perihal|subjek|importance|priorität"
    ),
}
_FIELD: Final = re.compile(
    "|".join(rf"(?P<{kind}>(?:{names})) ?[:：]" for kind, names in _FIELDS.items())
)
_MORE: Final = re.compile(r"(?<=\s)(?:" + _FIELD.pattern + r")")


def field(plain: str) -> str | None:
    """Which header field a line is, if it is one."""
    match = _FIELD.match(plain)
    return match.lastgroup if match else None


def more_fields(plain: str) -> Iterator[str]:
    """The header fields that stand in a line after its first: some programs write them all into one."""
    return (str(match.lastgroup) for match in _MORE.finditer(plain))
