local link = require "rollcall.http.link"

local function next_of(text, relation)
  local links = link.parse(text)
  return links and link.target(links, relation or "next")
end

describe("link.parse", function()
  it("takes what servers send", function()
    assert.equal("https://api.example/x?page=2", next_of '<https://api.example/x?page=2>; rel="next"')
    assert.equal("/b", next_of '</a>; rel="prev", </b>; rel="next", </c>; rel="last"')
    assert.equal("/b", next_of "</b>;rel=next")
    assert.equal("/b", next_of '  , ,</b>\t;\trel = "next" ; ; title="x" ,,')
    assert.equal("/b", next_of '</b>; REL="Next"')
    assert.equal("", next_of '<>; rel="next"')
    assert.equal("/b,c;d", next_of '</b,c;d>; rel="next"')
  end)

  it("takes several types in one, and their order in the text", function()
    assert.equal("/b", next_of '</b>; rel="last next"')
    assert.equal("/b", next_of '</b>; rel="https://x.example/ext  next"')
    assert.equal("/b", next_of '</b>; rel="next", </c>; rel="next"')
    assert.is_nil(next_of '</b>; rel="nextish"')
    assert.equal("/p", next_of('</b>; rel="next", </p>; rel="PREV"', "prev"))
  end)

  it("reads quoted strings as such", function()
    assert.equal("/b", next_of '</a>; title="x, </evil>; rel=\\"next\\"", </b>; rel="next"')
    assert.equal("/b", next_of '</b>; title="back\\\\"; rel="ne\\xt"')
    assert.equal("/b", next_of [[</b>; title*=UTF-8'de'n%c3%a4chstes; rel="next"]])
  end)

  it("takes the first of several rel, and no link for somebody else", function()
    assert.is_nil(next_of '</b>; rel="prev"; rel="next"')
    assert.is_nil(next_of '</b>; rel="next"; anchor="#other"')
    assert.is_nil(next_of '</b>; rev="next"')
    assert.is_nil(next_of "</b>")
    assert.is_nil(next_of "</b>; rel")
  end)

  it("is an empty list of nothing", function()
    assert.same({}, link.parse "")
    assert.same({}, link.parse " , ")
  end)

  it("refuses what it cannot read", function()
    for _, text in ipairs { "/b; rel=next", '</b; rel="next"', '</b>; rel="next', "</b> </c>; rel=next",
      '</b>; rel="a" b', '</b>; rel="next\\', "<", "</b>; =x" } do
      assert.is_nil(link.parse(text), text)
    end
  end)

  it("takes any bytes without an error, in the time of one look", function()
    local seed = 7
    local alphabet = { "<", ">", ";", ",", '"', "\\", "=", "rel", "next", " ", "a", "\t", "/x", "\0", "\255" }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, seed % 17 do
        seed = (seed * 48271 + 11) % 2147483647
        parts[i] = alphabet[seed % #alphabet + 1]
      end
      seed = (seed * 48271 + 11) % 2147483647
      link.parse(table.concat(parts))
    end
    local core = require "rollcall.core"
    local began = core.now()
    link.parse(("<a>; x=y, "):rep(5000))
    link.parse("<" .. (" "):rep(20000))
    link.parse("<" .. (" "):rep(60000) .. ">")
    link.parse("<a>" .. (" "):rep(60000))
    assert.equal("/b", next_of "< /b >; rel=next")
    link.parse("<a>; t=\"" .. ("\\a"):rep(20000))
    assert.is_true(core.now() - began < 3)
  end)
end)
