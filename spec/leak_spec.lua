local leak = require "rollcall.walk.leak"
local redact = require "rollcall.http.redact"

describe("leak.is_in", function()
  local redactor = redact.new()
  redactor:add("hunter22", "password")
  redactor:add("ada@acme.example", "username")
  redactor:add("id-4711", "client_id")
  local asked = "https://api.example/key/hunter22/users?page=1"

  local function is_in(position)
    return leak.is_in(position, asked, redactor)
  end

  it("finds a secret in a token and in a link", function()
    assert.is_true(is_in { token = "hunter22" })
    assert.is_true(is_in { token = "abc.hunter22.def" })
    assert.is_true(is_in { url = "https://api.example/users?page=2&access_token=hunter22" })
    assert.is_true(is_in { url = "https://api.example/users?t=hunter%32%32" })
  end)

  it("finds none in what is none", function()
    assert.is_false(is_in { token = "hunter23" })
    assert.is_false(is_in { number = 22 })
    assert.is_false(is_in {})
    assert.is_false(is_in(nil))
  end)

  it("lets a link have what the page's own URL has, there", function()
    assert.is_false(is_in { url = "https://api.example/key/hunter22/users?page=2" })
    assert.is_true(is_in { url = "https://api.example/key/hunter22/users?page=2&key=hunter22" })
    assert.is_true(is_in { url = "https://api.example/users/hunter22/key" })
    assert.is_true(is_in { token = asked }) -- which stands in another place
    for _, separator in ipairs { "/", "?", "&", "=" } do
      local place = "https://api.example/users/hunter22" .. separator
      assert.is_false(leak.is_in({ url = place .. "b" }, place .. "a", redactor), separator)
    end
    -- Up to a separator: another word that begins alike, the server was not told.
    assert.is_true(leak.is_in({ url = "https://api.example/hunter22b" }, "https://api.example/hunter22a", redactor))
  end)

  it("lets a link go on where the page's own URL ends", function()
    local key = "https://api.example/users?key=hunter22"
    assert.is_false(leak.is_in({ url = key .. "&page=2" }, key, redactor))
    assert.is_true(leak.is_in({ url = key .. "3&page=2" }, key, redactor))
  end)

  it("finds short secrets that are no words", function()
    local one = redact.new()
    one:add("abc1", "token")
    assert.is_true(leak.is_in({ url = "https://api.example/users?k=abc1" }, asked, one))
  end)

  it("lets links have what is too short to be one, and values of headers without credentials", function()
    local one = redact.new()
    one:add("test", "token")
    one:add("2024-10-01", "header X-Acme-Version")
    assert.is_false(leak.is_in({ url = "https://api.example/users?page=test&version=2024-10-01" }, asked, one))
  end)

  it("lets links name the caller", function()
    assert.is_false(is_in { url = "https://api.example/users?after=ada@acme.example" })
    assert.is_false(is_in { url = "https://api.example/clients/id-4711/users" })
  end)
end)
