local redact = require "rollcall.http.redact"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local function redactor(...)
  local made = redact.new()
  for _, secret in ipairs { ... } do
    made:add(secret)
  end
  return made
end

describe("redact", function()
  it("leaves out what it is told to", function()
    local made = redact.new()
    made:add("hunter22", "password")
    made:add("adalovelace", "username")
    assert.equal("[secret] of [secret]", made:clean "hunter22 of adalovelace")
    assert.equal("[secret] of adalovelace", made:clean("hunter22 of adalovelace", function(use, secret)
      return use == "username" and secret == "adalovelace"
    end))
  end)

  it("blots out every secret wherever it stands", function()
    local made = redactor("hunter22", "s3cr3t")
    assert.equal("[secret]", made:clean "hunter22")
    assert.equal("a [secret] b [secret][secret] c", made:clean "a hunter22 b s3cr3thunter22 c")
    assert.equal("nothing here", made:clean "nothing here")
    assert.equal("", made:clean "")
  end)

  it("takes secrets to the letter", function()
    local made = redactor "a.b+c%41=[x]*"
    assert.equal("[secret] axb+c", made:clean "a.b+c%41=[x]* axb+c")
  end)

  it("finds what a page of HTML makes of a secret", function()
    local made = redactor [[a&b<c>"d'é]]
    for _, text in ipairs { "a&amp;b&lt;c&gt;&quot;d&#39;é", "&#97;&#x26;b&#60;c&#X3E;&#34;d&apos;&#xe9;",
      [[{"m":"a&amp;b&lt;c&gt;&quot;d&#39;\u00e9"}]] } do
      assert.is_nil(made:clean(text):find("&lt;c", 1, true) or made:clean(text):find("#60", 1, true), text)
      assert.truthy(made:clean(text):find("[secret]", 1, true), text)
    end
    assert.equal("&amp;&nothing;&#9999999999; [secret]",
      redactor "hunter22":clean "&amp;&nothing;&#9999999999; hunter&#50;2")
  end)

  it("takes a number that is no character for none", function()
    local made = redactor "hunter22"
    for _, code in ipairs { "xffffffffffffffff", "99999999999999999999", "x110000" } do
      local text = ("&#%s; hunter22"):format(code)
      assert.equal(text:gsub("hunter22", "[secret]"), made:clean(text))
    end
  end)

  it("finds long ones at the cut, however they are spelt, and all that end alike once there are many", function()
    local long = ("0123456789abcdef"):rep(1024)
    local made = redactor(long)
    local spelt = long:gsub(".", function(byte)
      return ("\\u%04x"):format(byte:byte())
    end)
    assert.equal("[secret]", made:clean(spelt .. " and more", nil, 8192))
    made = redactor(("Z"):rep(16000) .. "SAME", "k-SAME", "a-long-and-real-secret-SAME")
    local shown = made:clean(("zSAME "):rep(3000) .. "a-long-and-real-secret-SAME")
    assert.is_nil(shown:find("real", 1, true))
  end)

  it("leaves short texts readable", function()
    assert.equal("a cat", redactor("a", "cat"):clean "a cat")
  end)

  it("forgets what was replaced long ago, use by use", function()
    local made = redact.new()
    made:add("hunter22", "password")
    for i = 1, 9999 do
      made:add(("token-%04d"):format(i), "token")
      made:add("token-0900", "token") -- one that comes again and again stays
    end
    assert.equal("[secret] [secret] [secret] [secret] token-0001",
      made:clean "hunter22 token-9999 token-9998 token-0900 token-0001")
  end)

  it("remembers a token of each request that can be under way", function()
    local made = redact.new()
    for i = 1, 1500 do
      made:add(("one-time-%04d"):format(i), "token")
    end
    for i = 1, 1500 do
      assert.equal("[secret]", made:clean(("one-time-%04d"):format(i)))
    end
  end)

  it("remembers no more of large ones than their bytes allow, but the newest", function()
    local made = redact.new()
    for i = 1, 64 do
      made:add(("x"):rep(100000) .. ("%04d"):format(i), "token")
    end
    assert.equal("[secret]", made:clean(("x"):rep(100000) .. "0064"))
    assert.equal(("x"):rep(100000) .. "0001", made:clean(("x"):rep(100000) .. "0001"))
    made:add(("y"):rep(3000000), "token")
    assert.equal("[secret]", made:clean(("y"):rep(3000000)))
  end)

  it("does not change by being used twice, nor with another's secrets", function()
    local made, other = redactor "hunter22", redactor "s3cr3t"
    assert.equal(made:clean "hunter22", made:clean "hunter22")
    assert.equal("hunter22", other:clean "hunter22")
  end)

  it("leaves no rest of a secret that begins or ends like another", function()
    -- In a table's order any of them may come first: many, so that one of them does.
    for length = 5, 40 do
      local long = ("x"):rep(4) .. ("y"):rep(length)
      local made = redactor(long:sub(1, 4), long, long:sub(-4), long:sub(1, -2))
      local text = made:clean("<" .. long .. ">")
      assert.is_nil(text:find "[xy]", text)
    end
  end)

  it("finds secrets whose characters are escaped", function()
    local made = redactor("s3cr3t/with+odd&=%", "hunter22")
    for _, text in ipairs { "s3cr3t\\/with+odd&=%", "s3cr3t/with\\u002Bodd\\u0026=%", "s3cr3t%2Fwith%2bodd%26%3D%25",
      "\\u00733cr3t/with+odd&=%", "s3cr3t/with+odd&=\\u0025" } do
      assert.equal("[secret]", made:clean(text))
      assert.equal("a%20\\n[secret]\\u00f8\\/b [secret]", made:clean("a%20\\n" .. text .. "\\u00f8\\/b hunter22"))
      assert.equal("[secret][secret]", made:clean(text .. text))
    end
    assert.equal("a%20\\n\\/b%2Fc", made:clean "a%20\\n\\/b%2Fc")
  end)

  it("finds secrets that look escaped themselves", function()
    local made = redactor("not+secret/100%41=", "p\195\164ssw\195\182rd", "a%2bb+c&dddd", "key \240\157\132\158")
    for _, text in ipairs {
      "not+secret/100%41=", "not+secret\\/100%41=", "not\\u002bsecret\\/100%41\\u003D", "not%2Bsecret%2F100%2541%3D",
      "not+secret%2f100%2541=", "p\\u00e4ssw\\u00f6rd", "p\\u00E4ssw\195\182rd", "p%C3%A4ssw%c3%b6rd",
      "a%2bb+c\\u0026dddd", "a%252bb%2Bc%26dddd", "key \\uD834\\udd1e", "key+%F0%9D%84%9E", "key%20%F0%9D%84%9E",
      "key\\u0020\\ud834\\uDD1E",
    } do
      assert.equal("[secret]", made:clean(text))
      assert.equal('{"a":"[secret]"}', made:clean('{"a":"' .. text .. '"}'))
    end
    assert.equal("lone \\ud834 and \\u", made:clean "lone \\ud834 and \\u")
  end)

  it("leaves nothing of a secret that overlaps itself", function()
    assert.equal("[secret]", redactor "ababab":clean "ababababa" :gsub("a$", ""))
  end)

  it("finds them at every place among escapes", function()
    local made = redactor "hunter22"
    for before = 0, 5 do
      for after = 0, 5 do
        local left, right = ("\\/%2F.\\u002F"):rep(before), ("%41\\\\"):rep(after)
        assert.equal(left .. "[secret]" .. right, made:clean(left .. "hunte%722\\u0032" .. right))
      end
    end
  end)

  it("finds secrets that were escaped more than once", function()
    local token = "Zm9v/YmFy+cXV4Z3J1bHQ=="
    local made = redactor(token)
    local function percent(text)
      return (text:gsub("[^%w]", function(byte) return ("%%%02X"):format(byte:byte()) end))
    end
    local function html(text)
      return (text:gsub("[/=+]", function(byte) return ("&#x%X;"):format(byte:byte()) end))
    end
    local function json(text)
      return (text:gsub('[\\"]', "\\%0"))
    end
    local slashed, coded = token:gsub("/", "\\/"), token:gsub("+", "\\u002B")
    for _, text in ipairs { json(slashed), json(json(slashed)), json(coded), json(json(coded)), percent(percent(token)),
      percent(percent(percent(token))), percent(html(token)), html(percent(token):gsub("=", "&#x3D;")) } do
      assert.is_nil(made:clean("<" .. text .. ">"):find "[YX]", text)
      assert.equal("<[secret]>", made:clean("<" .. text .. ">"))
    end
    assert.equal("<[secret]>", made:clean("<" .. percent(token):gsub("%%3D", "&#37;3D") .. ">"))
  end)

  it("finds them in base64 and in digits", function()
    local made = redactor("hunter22?>~", "short", "open sesame!", "a longer one?")
    for _, text in ipairs {
      "aHVudGVyMjI/Pn4", "aHVudGVyMjI_Pn4", "68756e74657232323f3e7e", "68756E74657232323F3E7E",
      "b3BlbiBzZXNhbWUh", "YSBsb25nZXIgb25lPw", "6f70656e20736573616d6521",
    } do
      assert.equal("a [secret], b", made:clean("a " .. text .. ", b"))
    end
    assert.equal("[secret]==", made:clean "YSBsb25nZXIgb25lPw==")
    assert.equal("[secret]%3D%3D", made:clean "YSBsb25nZXIgb25lPw%3D%3D")
    assert.equal("[secret].", made:clean "aHVudGVyMjI%2FPn4.")
    assert.equal("c2hvcnQ=", made:clean "c2hvcnQ=") -- of few bytes these would be in many a text
  end)

  it("finds them without the blanks around them, which a header loses", function()
    local made = redactor(" tok-7f3a\t ", "       ")
    assert.equal("[secret] [secret]", made:clean "tok-7f3a  tok-7f3a\t ")
    assert.equal("[secret]", made:clean "dG9rLTdmM2E")
  end)

  it("takes no longer for secrets that overlap themselves, or are nearly there", function()
    local text = ("a"):rep(60000) .. "\\u0061%61&amp;+" .. ("a"):rep(60000)
    local function seconds(...)
      local made = redactor(...)
      local least, cleaned = math.huge, nil
      for _ = 1, 3 do
        local began = os.clock()
        cleaned = made:clean(text, nil, 8192)
        least = math.min(least, os.clock() - began)
      end
      return least, cleaned
    end
    local few = seconds(("0123456789"):rep(1600))
    local many, cleaned = seconds(("a"):rep(16000), ("a"):rep(16001), ("b"):rep(5) .. ("a"):rep(16000))
    assert.equal("[secret]", cleaned)
    assert.is_true(many < 32 * few, ("%.3f s, %.3f s"):format(many, few))
    local alike = {}
    for i = 1, 2000 do
      alike[i] = ("%04d-aaaa"):format(i)
    end
    assert.is_true(seconds(unpack(alike)) < 64 * few)
  end)

  it("takes no more than in proportion for large texts", function()
    local function seconds(times)
      local text = ("\\/%41x"):rep(times)
      local least = math.huge
      for _ = 1, 3 do
        local began = os.clock()
        assert.equal(text, redactor "hunter22":clean(text))
        least = math.min(least, os.clock() - began)
      end
      return least
    end
    assert.is_true(seconds(16000) < 64 * seconds(1000)) -- some 16 times; 256, were each place read to the end
  end)

  it("cleans a beginning as it does the whole", function()
    local made = redactor("hunter22", ("x"):rep(300))
    local text = "a hunter22 b \\u0068unter22 c " .. ("x"):rep(300) .. " d " .. ("hunter22 "):rep(50)
    local whole = made:clean(text)
    for most = 0, #text + 2 do
      local begun = made:clean(text, nil, most)
      local plain = begun:gsub("%[secret%]$", "")
      assert.equal(whole:sub(1, #plain), plain)
      assert.is_nil(begun:find("hunter", 1, true))
      assert.truthy(#begun <= #whole)
    end
    assert.equal(whole, made:clean(text, nil, #text))
    assert.equal("a [secret]", made:clean(text, nil, 5))
    assert.equal("a ", made:clean(text, nil, 2))
  end)

  it("finds a secret that is part of the mark itself", function()
    assert.equal("[secret]!", redactor "secret":clean "secret!")
  end)
end)
