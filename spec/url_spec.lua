local url = require "rollcall.http.url"

describe("url.encode", function()
  it("keeps what is unreserved and escapes every other byte", function()
    assert.equal("AZaz09-._~", url.encode "AZaz09-._~")
    assert.equal("%20%2B%2F%3D%3F%26%23%25%22%27%28%29%2A%21%2C%3A%3B%40", url.encode " +/=?&#%\"'()*!,:;@")
    assert.equal("%00%0D%0A%7F%80%FF", url.encode "\0\r\n\127\128\255")
    assert.equal("%C3%B8", url.encode "ø")
    assert.equal("", url.encode "")
  end)

  it("gives back every byte when it is undone", function()
    local bytes = {}
    for code = 0, 255 do
      bytes[#bytes + 1] = string.char(code)
    end
    local text = table.concat(bytes)
    local undone = url.encode(text):gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
    assert.equal(text, undone)
  end)
end)

describe("url.encode_query", function()
  it("keeps the order and escapes names and values", function()
    assert.equal("b=1&a=x%20y&c%26=%3D", url.encode_query { { "b", "1" }, { "a", "x y" }, { "c&", "=" } })
    assert.equal("", url.encode_query {})
  end)
end)

describe("url.parse", function()
  local good = {
    ["https://api.example.com"] = { "https", "api.example.com", 443, "" },
    ["http://api.example.com/"] = { "http", "api.example.com", 80, "/" },
    ["HTTPS://API.Example.COM:8443/A/b?C=d"] = { "https", "api.example.com", 8443, "/A/b?C=d" },
    ["http://127.0.0.1:65535"] = { "http", "127.0.0.1", 65535, "" },
    ["http://[::1]:81/x"] = { "http", "::1", 81, "/x" },
    ["https://[2001:DB8::1]"] = { "https", "2001:db8::1", 443, "" },
    ["https://a.example?x=1"] = { "https", "a.example", 443, "?x=1" },
  }
  for text, expected in pairs(good) do
    it("takes apart " .. text, function()
      local parsed = assert(url.parse(text))
      assert.same({ scheme = expected[1], host = expected[2], port = expected[3], path = expected[4] }, parsed)
    end)
  end

  local bad = {
    [""] = "http or https",
    ["api.example.com"] = "http or https",
    ["//api.example.com"] = "http or https",
    ["ftp://api.example.com"] = "http or https",
    ["file:///etc/passwd"] = "http or https",
    ["javascript://x"] = "http or https",
    ["https://"] = "no host",
    ["https:///path"] = "no host",
    ["https://:443"] = "no host",
    ["https://a.example:0"] = "port",
    ["https://a.example:65536"] = "port",
    ["https://a.example:80x"] = "port",
    ["https://a.example:"] = "port",
    ["https://a.example:-1"] = "port",
    ["https://user@a.example"] = "credentials",
    ["https://user:password@a.example"] = "credentials",
    ["https://a.example#x"] = "fragment",
    ["https://a.example/x#y"] = "fragment",
    ["https://a.example/x y"] = "control character or space",
    ["https://a.example/x\r\nHost: b"] = "control character or space",
    ["https://a.example\0.evil.example"] = "control character or space",
    ["https://exa$mple.com"] = "port",
  }
  for text, expected in pairs(bad) do
    it(("refuses %q"):format(text), function()
      local parsed, problem = url.parse(text)
      assert.is_nil(parsed)
      assert.truthy(problem:find(expected, 1, true), problem)
    end)
  end

  it("never repeats the password of a URL", function()
    local _, problem = url.parse "https://user:hunter22@a.example"
    assert.is_nil(problem:find("hunter22", 1, true))
  end)
end)

describe("url.origin", function()
  local function origin(text)
    return url.origin(assert(url.parse(text)))
  end

  it("is equal for equal origins, however they are written", function()
    assert.equal(origin "https://API.example.com/a", origin "https://api.example.com:443/b?c")
    assert.equal(origin "http://api.example.com", origin "http://api.example.com:80")
  end)

  it("differs by scheme, host and port", function()
    assert.not_equal(origin "http://a.example:443", origin "https://a.example:443")
    assert.not_equal(origin "https://a.example", origin "https://b.example")
    assert.not_equal(origin "https://a.example", origin "https://a.example:444")
  end)
end)

describe("url.is_loopback", function()
  local function is_loopback(text)
    return url.is_loopback(assert(url.parse(text)))
  end

  it("knows this machine's addresses", function()
    for _, text in ipairs { "http://127.0.0.1", "http://127.9.8.7:80", "http://localhost:8080", "http://LOCALHOST",
      "http://[::1]" } do
      assert.is_true(is_loopback(text), text)
    end
  end)

  it("is not taken in by names that look like them", function()
    for _, text in ipairs { "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://128.0.0.1",
      "http://127.0.0", "http://1127.0.0.1", "http://[::2]", "http://127-0-0-1", "http://10.0.0.1",
      "http://127.0.0.256", "http://127.999.0.1", "http://127.09.0.1", "http://127.0.0.08", "http://127.0.00.1",
      "http://127.0.0.0x1", "http://127.0.0.1." } do
      assert.is_false(is_loopback(text), text)
    end
  end)
end)

describe("url.expand", function()
  it("puts values in and escapes them where told", function()
    assert.equal("/a/T1/b/T1", url.expand("/a/{account}/b/{account}", { account = "T1" }))
    assert.equal("/a/x%2F..%2Fy", url.expand("/a/{account}", { account = "x/../y" }, url.encode))
    assert.equal("/plain", url.expand("/plain", { account = "T1" }))
  end)

  it("raises where nothing is known to stand in a place", function()
    assert.has_error(function() url.expand("/a/{account}/{b}", { account = "T1" }) end)
  end)

  it("takes values with % to the letter", function()
    assert.equal("/a/%1", url.expand("/a/{account}", { account = "%1" }))
  end)
end)

describe("url.resolve", function()
  local BASE = "http://a/b/c/d;p?q"

  -- RFC 3986, 5.4.1 and 5.4.2.
  local examples = {
    ["g:h"] = "g:h", ["g"] = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/",
    ["/g"] = "http://a/g", ["//g"] = "http://g", ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y",
    ["#s"] = "http://a/b/c/d;p?q#s", ["g#s"] = "http://a/b/c/g#s", ["g?y#s"] = "http://a/b/c/g?y#s",
    [";x"] = "http://a/b/c/;x", ["g;x"] = "http://a/b/c/g;x", ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
    [""] = "http://a/b/c/d;p?q", ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/", [".."] = "http://a/b/",
    ["../"] = "http://a/b/", ["../g"] = "http://a/b/g", ["../.."] = "http://a/", ["../../"] = "http://a/",
    ["../../g"] = "http://a/g", ["../../../g"] = "http://a/g", ["../../../../g"] = "http://a/g",
    ["/./g"] = "http://a/g", ["/../g"] = "http://a/g", ["g."] = "http://a/b/c/g.", [".g"] = "http://a/b/c/.g",
    ["g.."] = "http://a/b/c/g..", ["..g"] = "http://a/b/c/..g", ["./../g"] = "http://a/b/g",
    ["./g/."] = "http://a/b/c/g/", ["g/./h"] = "http://a/b/c/g/h", ["g/../h"] = "http://a/b/c/h",
    ["g;x=1/./y"] = "http://a/b/c/g;x=1/y", ["g;x=1/../y"] = "http://a/b/c/y", ["g?y/./x"] = "http://a/b/c/g?y/./x",
    ["g?y/../x"] = "http://a/b/c/g?y/../x", ["g#s/./x"] = "http://a/b/c/g#s/./x",
    ["g#s/../x"] = "http://a/b/c/g#s/../x", ["http:g"] = "http:g",
  }
  for reference, expected in pairs(examples) do
    it(("of %q is %s"):format(reference, expected), function()
      assert.equal(expected, url.resolve(BASE, reference))
    end)
  end

  it("takes a base without a path, and one with a query alone", function()
    assert.equal("https://a.example/g", url.resolve("https://a.example", "g"))
    assert.equal("https://a.example?y", url.resolve("https://a.example", "?y"))
    assert.equal("https://a.example/x?page=2", url.resolve("https://a.example/x?page=1", "?page=2"))
    assert.equal("https://a.example/v2/x", url.resolve("https://a.example/v2/y?u=http://b/c", "x"))
    assert.equal("https://a.example/?x=/../y", url.resolve("https://a.example/v2/", "/?x=/../y"))
    assert.equal("https://a.example//x", url.resolve("https://a.example/", "/.//x"))
    assert.equal("https://b.example/c", url.resolve("https://a.example/", "//b.example/a/../c"))
  end)
end)

describe("url.mend", function()
  it("escapes what cannot stand in a URL, and nothing else", function()
    assert.equal("/a%20b?c=%22d%22&e=%C3%B8%7C%5C", url.mend '/a b?c="d"&e=ø|\\')
    local fine = "https://a.example:8/b;c=1/%20?d=e&f[]=g#h!$'()*+,@~-._"
    assert.equal(fine, url.mend(fine))
    assert.equal("a\nb", url.mend "a\nb")
  end)
end)
