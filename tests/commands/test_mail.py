# ruff: noqa: RUF001, E501
"""What comes back by mail with the bot's own text below it is no command, whatever program and language wrote it."""

from __future__ import annotations

import pytest

from claude_pool_gh.commands.lines import command_lines, find

QUOTED = "**Fix proposed.** To push exactly this patch:\n\n/pool approve 1234567890\n"
"""What the bot wrote, as a mail program gives it back: without a `>`, and without the fence around the command."""

MAILS = {
    # who wrote what follows
    "Gmail": "On Tue, Nov 3, 2026 at 9:12 AM claude-pool[bot] ***@***.***> wrote:",
    "Gmail, wrapped": "On Tue, Nov 3, 2026 at 9:12 AM claude-pool[bot] <\nnotifications@github.com> wrote:",
    "Gmail, wrapped in three": "On Tue, Nov 3, 2026 at 9:12 AM\nclaude-pool[bot]\n<notifications@github.com>\nwrote:",
    "Gmail on a phone": "On Tue, Nov 3, 2026, 9:12 AM claude-pool[bot] <notifications@github.com>\nwrote:",
    "Apple Mail": "On Nov 3, 2026, at 09:12, claude-pool[bot] <notifications@github.com> wrote:",
    "Apple Mail, without an address": "On 3 Nov 2026, at 09:12, claude-pool[bot] wrote:",
    "Thunderbird": "On 11/3/26 09:12, claude-pool[bot] wrote:",
    "Yahoo": "On Tuesday, November 3, 2026 at 09:12:34 AM PST, claude-pool[bot] <n@github.com> wrote: ",
    "Airmail": "On November 3, 2026 at 9:12:34, claude-pool[bot] (notifications@github.com(mailto:n@github.com)) wrote:",
    "Proton": "On Tuesday, November 3rd, 2026 at 9:12 AM, claude-pool[bot] <n@github.com> wrote:",
    "mutt": "On Tue, Nov 03, 2026 at 09:12:00AM -0800, claude-pool[bot] wrote:",
    "Gnus": "claude-pool[bot] <notifications@github.com> writes:",
    "HEY": "On November 3, 2026, claude-pool[bot] said:",
    "Zoho": "---- On Tue, 03 Nov 2026 09:12:00 +0100 claude-pool[bot] <n@github.com> wrote ----",
    "German": "Am Di., 3. Nov. 2026 um 09:12 Uhr schrieb claude-pool[bot] <\nnotifications@github.com>:",
    "German, Thunderbird": "Am 03.11.26 um 09:12 schrieb claude-pool[bot]:",
    "German, Apple Mail": "Am 03.11.2026 um 09:12 schrieb claude-pool[bot] <n@github.com>:",
    "French": "Le mar. 3 nov. 2026 à 09:12, claude-pool[bot] <notifications@github.com> a\nécrit :",
    "French, Thunderbird": "Le 03/11/2026 à 09:12, claude-pool[bot] a écrit\u00a0:",
    "Spanish": "El mar, 3 nov 2026 a las 9:12, claude-pool[bot] (<notifications@github.com>)\nescribió:",
    "Spanish, Thunderbird": "El 3/11/26 a las 9:12, claude-pool[bot] escribió:",
    "Catalan": "El dia 3 nov 2026, a les 9:12, claude-pool[bot] va escriure:",
    "Italian": "Il giorno mar 3 nov 2026 alle ore 09:12 claude-pool[bot] ha scritto:",
    "Portuguese": "Em ter., 3 de nov. de 2026 às 09:12, claude-pool[bot] escreveu:",
    "Dutch": "Op di 3 nov 2026 om 09:12 schreef claude-pool[bot] <notifications@github.com>:",
    "Polish": "wt., 3 lis 2026 o 09:12 claude-pool[bot] <notifications@github.com> napisał(a):",
    "Swedish": "Den tis 3 nov. 2026 kl 09:12 skrev claude-pool[bot] <notifications@github.com>:",
    "Danish": "Den 03-11-2026 kl. 09:12 skrev claude-pool[bot]:",
    "Norwegian": "tir. 3. nov. 2026 kl. 09:12 skrev claude-pool[bot] <notifications@github.com>:",
    "Finnish": "ti 3. marrask. 2026 klo 9.12 claude-pool[bot] kirjoitti:",
    "Czech": "út 3. 11. 2026 v 9:12 odesílatel claude-pool[bot] <notifications@github.com> napsal:",
    "Slovak": "ut 3. 11. 2026 o 9:12 claude-pool[bot] napísal(a):",
    "Hungarian": "claude-pool[bot] <notifications@github.com> ezt írta (időpont: 2026. nov. 3., K, 9:12):",
    "Romanian": "În mar., 3 nov. 2026 la 09:12, claude-pool[bot] a scris:",
    "Russian": "вт, 3 нояб. 2026 г. в 09:12, claude-pool[bot] <notifications@github.com>:",
    "Russian, Thunderbird": "03.11.2026 09:12, claude-pool[bot] пишет:",
    "Ukrainian": "вт, 3 лист. 2026 р. о 09:12 claude-pool[bot] пише:",
    "Bulgarian": "На вт, 3.11.2026 г. в 9:12 claude-pool[bot] написа:",
    "Greek": "Στις Τρί 3 Νοε 2026 στις 9:12 π.μ., ο χρήστης claude-pool[bot] έγραψε:",
    "Turkish": "claude-pool[bot], 3 Kas 2026 Sal, 09:12 tarihinde şunu yazdı:",
    "Croatian": "uto, 3. stu 2026. u 09:12 claude-pool[bot] napisao je:",
    "Japanese": "2026年11月3日(火) 9:12 claude-pool[bot] <notifications@github.com>:",
    "Japanese, without an address": "2026年11月3日 9:12、claude-pool[bot]のメール:",
    "Chinese": "claude-pool[bot] <notifications@github.com> 于2026年11月3日周二 09:12写道：",
    "Chinese, 163": "在 2026-11-03 09:12:00，claude-pool[bot] 写道：",
    "Korean": "2026년 11월 3일 (화) 오전 9:12, claude-pool[bot] <n@github.com>님이 작성:",
    "Hebrew": "\u202bבתאריך יום ג׳, 3 בנוב׳ 2026 ב-9:12 מאת \u202aclaude-pool[bot]\u202c\u200f <\u202an@github.com\u202c\u200f>:\u202c",
    "Arabic": "في الثلاثاء، 3 نوفمبر 2026 في 9:12 ص كتب claude-pool[bot] <n@github.com>:",
    "Vietnamese": "Vào Th 3, 3 thg 11, 2026 lúc 09:12 claude-pool[bot] đã viết:",
    "Indonesian": "Pada tanggal Sel, 3 Nov 2026 pukul 09.12 claude-pool[bot] menulis:",
    "Thai": "ในวันที่ อ. 3 พ.ย. 2026 เวลา 09:12 claude-pool[bot] เขียนว่า:",
    "a language that we do not know": "Xyz 3 qqq 2026 09:12 claude-pool[bot] <notifications@github.com> zzz:",
    "with GitHub's breaks of lines": "\\\nOn Tue, Jun 16, 2015 at 10:39 AM, mona <n@github.com>\\\nwrote:\\\n\\",
    "with breaks, without an address": "\\\nOn Tue, Jun 16, 2015 at 10:39 AM, mona\\\nwrote:\\\n\\",
    "below a fence that is none": "``` `x`\nOn Tue, Nov 3, 2026 at 9:12 AM X <x@example.org> wrote:",
    "sup": "Excerpts from claude-pool[bot]'s message of Tue Nov 03 09:12:00 +0100 2026:",
    "wanderlust": "Reformatted excerpts from claude-pool[bot]'s message of 2026-11-03:",
    "alot": "Quoting claude-pool[bot] (2026-11-03 09:12:00)",
    # header fields
    "Outlook": "From: claude-pool[bot]\nSent: Tuesday, November 3, 2026 9:12 AM\nTo: octo/calc\nSubject: Re: [octo/calc]",
    "Outlook, with a line": "________________________________\nFrom: claude-pool[bot] <n@github.com>\nSent: Tuesday",
    "Outlook, bold": "**From:** claude-pool[bot] <n@github.com>\n**Sent:** Tuesday, November 3\n**To:** octo/calc",
    "Outlook, with empty lines": "From: claude-pool[bot]\n\nSent: Tuesday, November 3, 2026 9:12 AM\n\nTo: octo/calc",
    "Outlook, in one line": "From: claude-pool[bot] Sent: Tuesday, November 3, 2026 To: octo/calc Subject: Re: x",
    "Outlook on a phone": "From: claude-pool[bot] <n@github.com>\nDate: Tuesday, November 3, 2026\nTo: octo/calc",
    "Outlook, German": "Von: claude-pool[bot]\nGesendet: Dienstag, 3. November 2026 09:12\nAn: octo/calc\nBetreff: x",
    "Outlook, French": "De : claude-pool[bot]\nEnvoyé : mardi 3 novembre 2026 09:12\nÀ : octo/calc\nObjet : x",
    "Outlook, Spanish": "De: claude-pool[bot]\nEnviado: martes, 3 de noviembre de 2026\nPara: x\nAsunto: y",
    "Outlook, Italian": "Da: claude-pool[bot]\nInviato: martedì 3 novembre 2026\nA: x\nOggetto: y",
    "Outlook, Portuguese": "De: claude-pool[bot]\nEnviado: terça-feira, 3 de novembro\nPara: x\nAssunto: y",
    "Outlook, Dutch": "Van: claude-pool[bot]\nVerzonden: dinsdag 3 november 2026\nAan: x\nOnderwerp: y",
    "Outlook, Danish": "Fra: claude-pool[bot]\nSendt: 3. november 2026\nTil: x\nEmne: y",
    "Outlook, Swedish": "Från: claude-pool[bot]\nSkickat: den 3 november 2026\nTill: x\nÄmne: y",
    "Outlook, Finnish": "Lähettäjä: claude-pool[bot]\nLähetetty: 3. marraskuuta\nVastaanottaja: x\nAihe: y",
    "Outlook, Polish": "Od: claude-pool[bot]\nWysłano: wtorek, 3 listopada\nDo: x\nTemat: y",
    "Outlook, Czech": "Od: claude-pool[bot]\nOdesláno: úterý 3. listopadu\nKomu: x\nPředmět: y",
    "Outlook, Russian": "От: claude-pool[bot]\nОтправлено: 3 ноября 2026 г.\nКому: x\nТема: y",
    "Outlook, Turkish": "Kimden: claude-pool[bot]\nGönderildi: 3 Kasım 2026 Salı\nKime: x\nKonu: y",
    "Outlook, Japanese": "差出人: claude-pool[bot]\n送信日時: 2026年11月3日\n宛先: x\n件名: y",
    "Outlook, Chinese": "发件人: claude-pool[bot]\n发送时间: 2026年11月3日\n收件人: x\n主题: y",
    "Outlook, Korean": "보낸 사람: claude-pool[bot]\n보낸 날짜: 2026년 11월 3일\n받는 사람: x\n제목: y",
    "Notes": "From: claude-pool[bot] <notifications@github.com>\nTo: octo/calc",
    "copied recipients between": "Fra: claude-pool[bot]\nCc: x\nSendt: 3. november\nTil: x",
    # words between dashes
    "Original Message": "-----Original Message-----\nFrom: claude-pool[bot]",
    "Original Message, Proton": "------- Original Message -------",
    "Original Message, German": "-----Ursprüngliche Nachricht-----",
    "Original Message, French": "-----Message d'origine-----",
    "Original Message, Spanish": "-----Mensaje original-----",
    "Original Message, QQ": "------------------ 原始邮件 ------------------",
    "Thunderbird, forwarded": "-------- Forwarded Message --------\nSubject: x",
    "Thunderbird, forwarded, German": "-------- Weitergeleitete Nachricht --------\nBetreff: x",
    "Gmail, forwarded": "---------- Forwarded message ---------",
    "Apple Mail, forwarded": "Begin forwarded message:",
    "Apple Mail, forwarded, German": "Anfang der weitergeleiteten Nachricht:",
    # what ends a text
    "signature": "-- \nMona",
    "signature without its blank": "\n--\nMona",
    "GitHub's footer": "—\nReply to this email directly, view it on GitHub, or unsubscribe.",
    "GitHub's footer in one line": "— Reply to this email directly, view it on GitHub",
    "GitHub's reason": "You are receiving this because you were mentioned.",
    "iPhone": "Sent from my iPhone",
    "iPhone, German": "Von meinem iPhone gesendet",
    "iPhone, French": "Envoyé de mon iPhone",
    "iPhone, Japanese": "iPhoneから送信",
    "Outlook for iOS": "Get Outlook for iOS<https://example.invalid/x>",
    "Mail for Windows": "Sent from Mail for Windows",
}


@pytest.mark.parametrize("mail", MAILS)
def test_a_mail_that_quotes_an_approval_does_not_approve(mail: str) -> None:
    assert command_lines(f"Not yet.\n\n{MAILS[mail]}\n\n{QUOTED}") == []
    assert command_lines(f"Not yet.\r\n\r\n{MAILS[mail]}\r\n{QUOTED}".replace("\n", "\r\n")) == []


@pytest.mark.parametrize("mail", MAILS)
def test_what_its_author_wrote_above_is_still_a_command(mail: str) -> None:
    assert command_lines(f"/pool cost\n\n{MAILS[mail]}\n\n{QUOTED}") == ["/pool cost"]


WRITTEN = {
    "a sentence that ends with a colon": "As Bob wrote:",
    "a quote's author": "Quoting the manual (see there), it works.",
    "excerpts": "Excerpts from the message of the day:",
    "a time": "The check of 2026-11-29 10:04 says:",
    "From here to there": "From: main\nTo: feature",
    "fields of a template": "Date: today\nSubject: this",
    "SQL": "```sql\n-- \nselect 1\n```",
    "a log": "```\nOn Tue, Nov 3, 2026 at 9:12 AM X <x@example.org> wrote:\n```",
    "a rule": "---",
    "two rules": "one\n\n---\n\ntwo\n\n------",
    "a line": "________________",
    "a dash": "—",
    "a dash and words": "— said nobody",
    "a heading": "Title\n--",
    "a table": "a | b\n--|--\n1 | 2",
    "a quote": "> why\n> On Tue, Nov 3, 2026 at 9:12 AM X <x@example.org> wrote:\n> because",
    "a name": "@mona wrote it in 2026",
    "a list": "- From: a\n- Sent: b",
    "what was sent": "I sent it from my desk.",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_on_the_page_is_not_taken_for_mail(text: str) -> None:
    assert command_lines(f"{WRITTEN[text]}\n\n/pool review") == ["/pool review"]


@pytest.mark.parametrize(
    ("body", "leads"),
    [
        ("/pool review", [True]),
        ("\n\n/pool review\n\n/pool help\nThanks", [True, True]),
        ("Hello\n\n/pool review", [False]),
        ("/pool review\nplease\n/pool help", [True, False]),
        ("<!-- x -->\n\n/pool review", [False]),
        ("> x\n\n/pool review", [False]),
    ],
)
def test_each_command_knows_whether_anything_else_stands_above_it(
    body: str, leads: list[bool]
) -> None:
    assert [each.leads for each in find(body)] == leads
