"""The front door: one word on a phone, its answer on the first screen, and the way deeper."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_accessibility import PHONE
from tests.browsing import open_tab, watched


@pytest.fixture
def phone(browser: Browser, address: str):
    """The page on a phone as it opens; what must not happen on it fails the test."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    problems = watched(page, address)
    page.goto(address)
    yield page
    context.close()
    assert not problems, problems


def test_the_first_screen_of_a_phone_answers_one_word_and_leads_on_to_its_pairs(phone: Page):
    answer = phone.locator("#word-answer")
    expect(answer).to_contain_text("lugha-mini puts maji beside its translation: of 1492 words of English, water is")
    expect(answer.locator("p").first).to_be_in_viewport()
    assert "plotly" not in " ".join(phone.evaluate("performance.getEntries().map(e => e.name.toLowerCase())"))

    word = phone.locator("#word input, #word textarea").first
    word.fill("")
    word.press_sequentially("Kuso")
    phone.get_by_role("radio", name="kusoma").click()  # it goes once it is chosen
    expect(answer).to_contain_text("kusoma is Swahili; in the lexicon it means to read")
    expect(answer).to_contain_text("Wrong words have a cosine of 0.")
    expect(answer).to_be_in_viewport()
    expect(phone).to_have_url(re.compile("tab=word&word=kusoma"))

    phone.get_by_role("button", name="A card to share").click()
    card = phone.locator("#word-card-picture img")
    expect(card).to_be_visible(timeout=30_000)
    assert card.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 1200
    expect(card).to_have_attribute("alt", re.compile("lugha-mini .*kusoma"))

    # What a slip of the hand may have meant is there to be tapped, however often.
    for slip, meant in (("watr", "water"), ("majji", "maji"), ("mamaa", "mama")):
        word.fill("")
        word.press_sequentially(slip)
        word.press("Enter")
        phone.locator("#word-meant").get_by_role("radio", name=meant, exact=True).click()
        expect(answer).to_contain_text(f"{meant} beside")
        expect(phone.locator("#word-meant")).to_be_hidden()

    phone.click("#word-deeper")
    expect(phone.locator("#pairs textarea")).to_have_value(re.compile("mama, mother\nmama, mum"))
    expect(phone.locator("#reading")).to_contain_text("lugha-mini")
    # The browser's Back leads from tab to tab, also to one that only the menu has room for.
    for tab, seen in (("Space", "#draw-space"), ("Alignment", "#pairs")):
        open_tab(phone, tab)
        expect(phone.locator(seen)).to_be_visible()
    for seen in ("#draw-space", "#pairs", "#word"):
        phone.go_back()
        expect(phone.locator(seen)).to_be_visible()
    expect(answer).to_contain_text("mama beside")
    expect(phone).to_have_url(re.compile("tab=word&word=mama"))
    phone.go_forward()
    expect(phone.locator("#pairs")).to_be_visible()


def test_a_words_language_may_be_said_and_a_link_opens_it_again(phone: Page, address: str):
    word = phone.locator("#word input, #word textarea").first
    expect(phone.locator("#word-answer table")).to_be_visible()
    word.fill("<img src=x onerror=alert(1)>")
    word.press("Enter")
    expect(phone.locator("#word-refused")).to_contain_text("The word is empty")
    # Nothing of the word before is left, and the reason is where the reader looks.
    expect(phone.locator("#word-answer")).to_have_text("")
    expect(phone.locator("#word-card, #word-deeper")).to_have_count(0)
    expect(phone.locator("#word-refused")).to_be_in_viewport()
    word.fill("maji, water")
    word.press("Enter")
    expect(phone.locator("#word-refused")).to_contain_text("is more than one word")
    word.fill("tarakilishi")
    word.press("Enter")
    expect(phone.locator("#word-answer")).to_contain_text("it cannot be said here")
    expect(phone.locator("#word-refused")).to_be_hidden()
    word.fill("mate")
    word.press("Enter")
    expect(phone.locator("#word-answer")).to_contain_text("mate is a word of both languages, read as Swahili")
    phone.locator("#word-language").get_by_label("English").check()
    expect(phone.locator("#word-answer")).to_contain_text("nearest in Swahili")
    expect(phone).to_have_url(re.compile("language=English"))
    # Another word is not in the language that was said of the one before.
    word.press_sequentially("x")
    expect(phone.locator("#word-language").get_by_label("found by itself")).to_be_checked()
    phone.goto(phone.url)
    expect(phone.locator("#word-answer")).to_contain_text("nearest in Swahili")
