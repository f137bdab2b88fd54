-- Servers that mean harm, or are broken as if they did: every walk ends, soon, in the right kind of error or with the
-- right users, and takes no more memory than its limits say.

local check = require "spec.support.check"
local core = require "rollcall.core"
local rollcall = require "rollcall"

local USERS, TOKEN = "/identity/v1/users", "/openid/connect/token"
local SECRET = "tok-7f3a-9c1e"
local MIB = 1048576

local server

--- A page of Tesouro's: its users, and the value of the next token as JSON.
local function page(users, after)
  return ('{"data":[%s],"nextPaginationToken":%s,"prevPaginationToken":null}'):format(users, after or "null")
end

local ONE, TWO = '{"id":"1"}', '{"id":"2"}'

--- Walks the server's answers (a list, or only one) to the end, holding on to nobody.
---@return { ids: string, count: integer, last: userdata?, err: rollcall.Error?, seconds: number, walk: table }
local function walk(answers, query, options)
  server:script { [USERS] = answers[1] and answers or { answers } }
  local config = { token = SECRET, base_url = server.url, retry = { base = 0.001, attempts = 2 }, idle_timeout = 5 }
  for name, value in pairs(options or {}) do
    config[name] = value
  end
  local began = core.now()
  local client = rollcall.tesouro(config)
  local users = client:users(query)
  local ended = { ids = "", count = 0, walk = users }
  while true do
    local user, err = users:next()
    if user == nil then
      ended.err = err
      break
    end
    ended.count = ended.count + 1
    ended.last = user
    if ended.count <= 200 then
      ended.ids = ended.ids .. " " .. tostring(user.id)
    end
  end
  ended.ids = ended.ids:sub(2)
  ended.seconds = core.now() - began
  client:close()
  if ended.err then
    check.failure(ended.err, ended.err.kind, { SECRET })
    assert.is_string(ended.err.checkpoint)
  end
  return ended
end

--- The walk must end with these ids, then with an error of this kind and code.
local function ends(ended, ids, kind, code)
  if ids then
    assert.equal(ids, ended.ids)
  end
  if not kind then
    assert.is_nil(ended.err)
    return ended
  end
  check.failure(ended.err, kind, { SECRET })
  assert.equal(code, ended.err.code)
  return ended
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

--- Where the process is measured at all: not under a tool that has memory of its own.
local is_measured = not read("/proc/self/maps"):find "/libasan%." and not read("/proc/self/maps"):find "/valgrind/"

--- Resident memory of the process, in KiB: now (VmRSS), or the most it has had (VmHWM).
local function memory(what)
  return tonumber(read("/proc/self/status"):match(what .. ":%s+(%d+)") or 0)
end

--- What f answers; it must not take more than so many MiB at any moment.
local function bounded(mib, f)
  collectgarbage()
  local file = is_measured and io.open("/proc/self/clear_refs", "w")
  if not file then
    return f()
  end
  file:write "5" -- the most from now on
  file:close()
  local before = memory "VmRSS"
  local result = f()
  local taken = (memory "VmHWM" - before) / 1024
  if taken > mib then
    error(("it took %.1f MiB, not %d"):format(taken, mib), 2)
  end
  return result
end

local function gzip(command)
  local pipe = assert(io.popen("{ " .. command .. "; } | gzip -9"))
  local bytes = pipe:read "*a"
  pipe:close()
  return bytes
end

setup(function()
  server = require("spec.support.server").start()
end)

teardown(function()
  server:stop()
end)

describe("a body without end", function()
  local USER = ('{"id":"1","a":"%s"},'):format(("x"):rep(1000))
  local users = { body = '{"data":[', tail = USER:rep(50), length = false }

  it("of users is cut off by max_page_bytes, after the users", function()
    local most = 64 * MIB
    local ended = bounded(16, function()
      return ends(walk(users, nil, { max_page_bytes = most }), nil, "decode", "too_large")
    end)
    assert.is_true(ended.count > 0.98 * most / #USER and ended.count <= most / #USER)
  end)

  it("of users is ended by a deadline", function()
    local ended = ends(walk(users, { deadline = 0.5 }), nil, "budget")
    assert.is_true(ended.count > 0 and ended.seconds < 5)
  end)

  -- As fast as the server is: there are always users to give.
  for name, budget in pairs { deadline = { deadline = 0.5 }, max_bytes = { max_bytes = 4 * MIB } } do
    it("of users is ended by its " .. name .. " where the script is slower than the server", function()
      server:script { [USERS] = { users } }
      local client = rollcall.tesouro { token = SECRET, base_url = server.url }
      local walked = client:users(budget)
      local began, count, err = core.now(), 0, nil
      for _ = 1, 20000 do
        local user
        user, err = walked:next()
        if not user then
          break
        end
        count = count + 1
        local until_then = core.now() + 0.0005
        while core.now() < until_then do end
      end
      local seconds = core.now() - began
      client:close()
      check.failure(err, "budget", { SECRET })
      assert.is_true(count > 0)
      assert.is_true(name == "max_bytes" or seconds < 2, seconds)
    end)
  end

  it("of users is ended by max_bytes", function()
    ends(walk(users, { max_bytes = MIB }), nil, "budget")
  end)

  for title, one in pairs {
    ["blanks"] = { '{"data":[', " ", "too_large" },
    ["keys beside the users"] = { "{", '"a":1,', "too_large" },
    ["values beside the users"] = { '{"a":[', "0,", "too_large" },
    ["a string beside the users"] = { '{"a":"', "x", "item_too_large" },
    ["a key"] = { '{"', "x", "item_too_large" },
    ["a number"] = { '{"a":', "1", "item_too_large" },
    ["a page token"] = { '{"nextPaginationToken":"', "x", "item_too_large" },
    ["one user's string"] = { '{"data":[{"id":"', "x", "item_too_large" },
    ["one user's keys"] = { '{"data":[{', '"a":1,', "item_too_large" },
    ["one user's key"] = { '{"data":[{"', "x", "item_too_large" },
    ["one user's array"] = { '{"data":[{"a":[', "0,", "item_too_large" },
  } do
    it("of " .. title .. " is cut off", function()
      bounded(12, function()
        return ends(walk({ body = one[1], tail = one[2]:rep(20000), length = false }, nil,
          { max_page_bytes = 4 * MIB, max_user_bytes = MIB }), "", "decode", one[3])
      end)
    end)
  end

  it("of an error is left", function()
    local ended = bounded(12, function()
      return ends(walk { status = 400, body = '{"message":"', tail = ("x"):rep(20000), length = false }, "", "http")
    end)
    assert.equal(8192, #ended.err.body)
  end)

  it("of a token is left", function()
    server:script { [TOKEN] = { { body = '{"access_token":"', tail = ("x"):rep(20000), length = false } } }
    local client = rollcall.tesouro { client_id = "me", client_secret = SECRET, base_url = server.url,
      retry = { base = 0.001, attempts = 2 } }
    local _, err = client:users():next()
    check.failure(err, "auth", { SECRET })
  end)
end)

describe("headers without end", function()
  for title, one in pairs {
    ["one header"] = { "HTTP/1.1 200 OK\r\nX: ", "x" },
    ["many"] = { "HTTP/1.1 200 OK\r\n", "X: y\r\n" },
    ["a reason"] = { "HTTP/1.1 200 ", "x" },
    ["answers before the answer"] = { "", "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" },
    ["trailers"] = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "X: y\r\n" },
  } do
    it("are refused: " .. title, function()
      bounded(6, function()
        return ends(walk { raw = one[1], tail = one[2]:rep(500) }, "", "decode", "too_large")
      end)
    end)
  end

  it("of a chunk count as nothing received", function()
    ends(walk({ raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", tail = ("x"):rep(500) }, nil,
      { idle_timeout = 0.3, retry = false }), "", "timeout", "timeout")
  end)
end)

describe("a slow server", function()
  it("is ended by the walk's deadline, byte by byte", function()
    for _, answer in ipairs {
      { body = page(ONE), step = 1, pause = 0.05 },
      { body = "[" .. (" "):rep(1000), step = 1, pause = 0.05 },
      { raw = "H", hold = 20 },
      { delay = 20 },
    } do
      local ended = ends(walk(answer, { deadline = 0.3 }), "", "budget")
      assert.is_true(ended.seconds > 0.29 and ended.seconds < 5)
    end
  end)

  it("that says nothing is a timeout", function()
    local ended = ends(walk({ delay = 20 }, nil, { idle_timeout = 0.2, retry = false }), "", "timeout", "timeout")
    assert.is_true(ended.seconds < 5)
  end)
end)

describe("a length that lies", function()
  local body = page(ONE)
  local function raw(lines)
    return { raw = "HTTP/1.1 200 OK\r\n" .. lines .. "\r\n\r\n" .. body }
  end
  for title, one in pairs {
    ["too much"] = { { body = body, length = #body + 10, close = true }, "1", "network", "network" },
    ["too little"] = { { body = body, length = #body - 5, close = true }, "1", "decode", "unexpected_end" },
    ["negative"] = { raw "Content-Length: -5", "", "network", "network" },
    ["no number"] = { raw "Content-Length: abc", "", "network", "network" },
    ["2^63 - 1"] = { raw "Content-Length: 9223372036854775807", "1", "network", "network" },
    ["a chunk of no size"] = { raw "Transfer-Encoding: chunked\r\n\r\nzz", "", "network", "network" },
    ["a chunk beyond all numbers"] = { raw "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff", "", "network",
      "network" },
    ["no HTTP at all"] = { { raw = body }, "", "network", "network" },
  } do
    it("is an error: " .. title, function()
      local ended = ends(walk(one[1]), one[2], one[3], one[4])
      assert.equal(2, ended.err.attempts)
    end)
  end
end)

describe("a compressed bomb", function()
  local gzipped = { "Content-Encoding: gzip" }

  it("of blanks ends at max_page_bytes", function()
    local bomb = gzip [[printf '{"data":['; head -c 100000000 /dev/zero | tr '\0' ' ']]
    assert.is_true(#bomb < 200000)
    bounded(12, function()
      local options = { max_page_bytes = 8 * MIB }
      return ends(walk({ body = bomb, headers = gzipped }, nil, options), "", "decode", "too_large")
    end)
  end)

  it("of one user ends at max_user_bytes", function()
    local bomb = gzip [[printf '{"data":[{"id":"1"},{"id":"'; head -c 100000000 /dev/zero | tr '\0' 'x']]
    -- Of what a pause comes amidst, libcurl itself keeps up to 64 MiB, and gives up then.
    local ended = bounded(64 + 32, function()
      return walk { body = bomb, headers = gzipped }
    end)
    local code = check.failure(ended.err, "decode").code
    assert.is_true(code == "item_too_large" or code == "too_large", code)
    assert.equal("1", ended.ids)
  end)

  it("of an error is left", function()
    local bomb = gzip [[printf '{"message":"'; head -c 100000000 /dev/zero | tr '\0' 'x']]
    bounded(12, function()
      return ends(walk { status = 500, body = bomb, headers = gzipped }, "", "http")
    end)
  end)

  it("that breaks off is a network error; one that is none, or is packed too often, is not asked for again", function()
    local whole = gzip([[printf '%s' ']] .. page(ONE) .. "'")
    ends(walk { body = whole, headers = gzipped }, "1")
    ends(walk { body = whole, cut = 30, headers = gzipped }, nil, "network", "network")
    for _, answer in ipairs {
      { body = page(ONE), headers = gzipped },
      { body = page(ONE), headers = { "Content-Encoding: " .. ("gzip, "):rep(20) .. "gzip" } },
      { body = page(ONE), headers = { "Content-Encoding: rot13" } },
    } do
      local ended = walk(answer)
      ends(ended, nil, "decode", "bad_encoding")
      assert.equal(1, ended.err.attempts)
    end
    for _, more in ipairs { whole, "\0\0\0\0", "garbage" } do -- behind it, which libcurl takes for a failed write
      local ended = walk { body = whole .. more, headers = gzipped }
      ends(ended, "1", "decode", "bad_encoding")
      check.contains(ended.err.message, "bytes follow what was compressed")
    end
  end)
end)

describe("100,000 levels", function()
  local arrays, objects = ("["):rep(100000), ('{"a":'):rep(100000)
  for title, one in pairs {
    ["arrays as the document"] = { arrays, "" },
    ["objects as the document"] = { objects, "" },
    ["arrays in a user"] = { '{"data":[' .. ONE .. ',{"id":"2","a":' .. arrays, "1" },
    ["objects in a user"] = { '{"data":[' .. ONE .. ',{"id":"2","a":' .. objects, "1" },
    ["arrays beside the users"] = { '{"a":' .. arrays, "" },
    ["arrays behind the users"] = { '{"data":[' .. ONE .. '],"a":' .. arrays, "1" },
  } do
    it("are too deep: " .. title, function()
      ends(walk { body = one[1] }, one[2], "decode", "too_deep")
    end)
  end

  it("are no page token", function()
    ends(walk { body = '{"data":[' .. ONE .. '],"nextPaginationToken":' .. arrays }, "1", "decode", "not_scalar")
  end)

  it("are no message of an error, and no token", function()
    ends(walk { status = 400, body = arrays }, "", "http")
    server:script { [TOKEN] = { { body = arrays }, { body = '{"access_token":' .. objects } } }
    for _ = 1, 2 do
      local client = rollcall.tesouro { client_id = "me", client_secret = SECRET, base_url = server.url, retry = false }
      check.failure(select(2, client:users():next()), "auth", { SECRET })
    end
  end)
end)

describe("text that is none", function()
  for title, one in pairs {
    ["a byte that begins nothing"] = { "a\255b", "bad_utf8" },
    ["an overlong sequence"] = { "a\192\128b", "bad_utf8" },
    ["a sequence that breaks off"] = { "a\226\130", "bad_utf8" },
    ["a surrogate in UTF-8"] = { "a\237\160\128b", "bad_utf8" },
    ["beyond U+10FFFF"] = { "a\244\144\128\128b", "bad_utf8" },
    ["a lone high surrogate"] = { "\\ud800", "bad_surrogate" },
    ["two high surrogates"] = { "\\ud800\\ud800", "bad_surrogate" },
    ["a lone low surrogate"] = { "\\udc00", "bad_surrogate" },
    ["a NUL"] = { "a\0b", "control_byte" },
  } do
    it("is refused after the users before it: " .. title, function()
      ends(walk { body = page(('%s,{"id":"2","name":"%s"},{"id":"3"}'):format(ONE, one[1])) }, "1", "decode", one[2])
    end)
  end

  it("NULs that are written as escapes are kept", function()
    local ended = ends(walk { body = page '{"id":"\\u0000","name":"a\\u0000b","na\\u0000me":"c"}' }, "\0")
    assert.equal("a\0b", ended.last.name)
    assert.equal("c", ended.last["na\0me"])
  end)

  it("between values is refused, too", function()
    ends(walk { body = page(ONE .. "\0," .. TWO) }, "1", "decode", "unexpected_byte")
    ends(walk { body = "\239\187\191" .. page(ONE) }, "", "decode", "unexpected_byte")
    ends(walk { body = page(ONE) .. "\0" }, "1", "decode", "trailing_bytes")
  end)
end)

describe("a page token", function()
  it("of 1 MiB is an error, and none is asked for", function()
    local ended = ends(walk { body = page(ONE, '"' .. ("c"):rep(MIB) .. '"') }, "1", "decode")
    check.contains(ended.err.message, "/nextPaginationToken", "1048576")
    assert.is_true(#ended.err.checkpoint < 1000)
    assert.equal(1, #server:requests(USERS))
  end)

  it("of 8,000 bytes, and of every byte, is sent as it is", function()
    local bytes = {}
    for byte = 1, 127 do
      bytes[byte] = ("\\u%04x"):format(byte)
    end
    for _, token in ipairs { ("c"):rep(8000), table.concat(bytes), "\\u0000\\r\\nX-Evil: 1" } do
      ends(walk { { body = page(ONE, '"' .. token .. '"') }, { body = page(TWO) } }, "1 2")
      local asked = server:requests(USERS)[2]
      assert.is_nil(asked.headers["x-evil"])
      assert.is_nil(asked.target:find "%c")
    end
  end)

  it("that is no scalar, or true, is an error", function()
    ends(walk { body = page(ONE, '{"a":1}') }, "1", "decode", "not_scalar")
    ends(walk { body = page(ONE, "true") }, "1", "decode")
  end)

  it("that comes again is a loop at any distance", function()
    for _, period in ipairs { 1, 2, 3, 100 } do
      local answers = {}
      for number = 1, 2 * period do
        answers[number] = { body = page(('{"id":"%d"}'):format(number), ('"t%d"'):format((number - 1) % period)) }
      end
      for _, prefetch in ipairs { 0, 1, 3 } do
        local ended = ends(walk(answers, { prefetch = prefetch }), nil, "loop")
        assert.equal(period + 1, ended.count)
        assert.equal("loop", ended.walk:reason())
        check.contains(ended.err.message, "PaginationToken", "page " .. period + 1)
      end
    end
  end)

  it("that is always another one is bounded by max_requests and deadline", function()
    local answers = {}
    for number = 1, 300 do
      answers[number] = { body = page("", ('"t%d"'):format(number)) }
    end
    local ended = ends(walk(answers, { max_requests = 250 }), "", "budget")
    assert.equal(250, ended.walk:stats().requests)
  end)
end)

describe("a document", function()
  it("with a key twice is refused where that would lose users or pages", function()
    ends(walk { body = '{"data":[' .. ONE .. '],"data":[' .. TWO .. "]}" }, "1", "decode", "second_value")
    ends(walk { body = '{"nextPaginationToken":"a","data":[' .. ONE .. '],"nextPaginationToken":null}' }, "1", "decode",
      "second_value")
  end)

  it("with a key twice in a user has the last, everywhere", function()
    local text = '{"id":"1","id":"2","\\u0069d":"3"}'
    local ended = ends(walk { body = page(text) }, "3")
    assert.equal("3", rollcall.totable(ended.last).id)
    assert.equal(text, rollcall.json(ended.last))
  end)

  it("with numbers beyond doubles gives infinities and roundings, and the text as it was", function()
    local text = '{"id":1e999,"a":-1e999,"b":1e-999,"c":-0.0,"d":123456789012345678901234567890,"e":1'
      .. ("0"):rep(100000) .. "}"
    local user = ends(walk { body = page(text) }).last
    assert.equal(math.huge, user.id)
    assert.equal(-math.huge, user.a)
    assert.equal(0, user.b)
    assert.equal(-math.huge, 1 / user.c)
    assert.equal(123456789012345678901234567890.0, user.d)
    assert.equal(math.huge, user.e)
    assert.equal(text, rollcall.json(user))
  end)

  it("with a user of almost 8 MiB gives it, and refuses one of more", function()
    local user = ends(walk { body = page('{"id":"1","a":"' .. ("x"):rep(8 * MIB - 100) .. '"}') }, "1").last
    assert.equal(8 * MIB - 100, #user.a)
    ends(walk { body = page(ONE .. ',{"id":"2","a":"' .. ("x"):rep(8 * MIB) .. '"}') }, "1", "decode", "item_too_large")
  end)

  it("with a user of 100,000 keys gives it", function()
    local user = ends(walk { body = page('{"id":"1",' .. ('"k":0,'):rep(100000) .. '"z":1}') }, "1").last
    assert.equal(1, user.z)
  end)

  for title, one in pairs {
    ["no users"] = { "{}", "", "not_found" },
    ["an array"] = { "[]", "", "not_found" },
    ["users that are an object"] = { '{"data":{}}', "", "not_array" },
    ["users that are null"] = { '{"data":null}', "", "null_array" },
    ["users that are none"] = { page(ONE .. ',1,"x",null'), "1", "not_object" },
    ["more behind it"] = { page(ONE) .. "x", "1", "trailing_bytes" },
    ["another document behind it"] = { page(ONE) .. page(TWO), "1", "trailing_bytes" },
    ["nothing"] = { "", "", "unexpected_end" },
  } do
    it("is an error after its users: " .. title, function()
      ends(walk { body = one[1] }, one[2], "decode", one[3])
    end)
  end
end)

describe("a redirect", function()
  it("is not followed, and takes no credentials anywhere", function()
    local other = require("spec.support.server").start()
    other:script { ["/"] = { { body = page(ONE) } } }
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      local there = "Location: " .. other.url .. "/?" .. SECRET
      local ended = ends(walk { status = status, headers = { there } }, "", "http")
      assert.equal(status, ended.err.status)
      check.contains(ended.err.message, other.url)
      server:script { [TOKEN] = { { status = status, headers = { there } } } }
      local client = rollcall.tesouro { client_id = "me", client_secret = SECRET, base_url = server.url }
      check.failure(select(2, client:users():next()), "auth", { SECRET })
    end
    assert.equal(0, #other:requests())
    other:stop()
  end)
end)

describe("a wait that a server asks for", function()
  for _, value in ipairs { "-5", "nan", "inf", "-inf", "1e400", "soon", "Thu, 99 Foo 99999 99:99:99 GMT",
    "99999999999999999999", "0x7fffffff", "1, 2", "" } do
    it(("of %q is none, or an error at once"):format(value), function()
      for _, name in ipairs { "Retry-After", "retry-after-ms" } do
        local ended = walk { { status = 503, headers = { name .. ": " .. value } }, { body = page(ONE) } }
        assert.is_true(ended.seconds < 5)
        if ended.err then
          ends(ended, "", "http")
        else
          assert.equal("1", ended.ids)
        end
      end
    end)

    it(("until the reset %q ends, meets the deadline or is an error at once"):format(value), function()
      local headers = { "RateLimit-Remaining: 0", "RateLimit-Reset: " .. value }
      local ended = walk({ { body = page(ONE, '"n"'), headers = headers }, { body = page(TWO) } }, { deadline = 0.2 })
      assert.is_true(ended.seconds < 5)
      if ended.err then
        ends(ended, "1", ended.err.kind == "rate_limit" and "rate_limit" or "budget")
      else
        assert.equal("1 2", ended.ids)
      end
    end)
  end
end)

describe("a token endpoint", function()
  for _, life in ipairs { "-1", "0", "1e999", "-1e999", "1e-300", '"nan"', '"soon"', "null", "{}" } do
    it(("that says a token lives %s seconds is asked a few times, not forever"):format(life), function()
      server:script {
        [TOKEN] = { { body = '{"access_token":"tok-1234","expires_in":' .. life .. "}" } },
        [USERS] = { { body = page(ONE, '"a"') }, { body = page(TWO) } },
      }
      local client = rollcall.tesouro { client_id = "me", client_secret = SECRET, base_url = server.url }
      assert.equal(2, assert(client:users { deadline = 5 }:count()))
      assert.is_true(#server:requests(TOKEN) <= 2)
    end)
  end

  it("whose tokens are all refused is asked twice", function()
    server:script {
      [TOKEN] = { { body = '{"access_token":"tok-1234","expires_in":3600}' } },
      [USERS] = { { status = 401, body = "{}" } },
    }
    local client = rollcall.tesouro { client_id = "me", client_secret = SECRET, base_url = server.url }
    check.failure(select(2, client:users():next()), "auth", { SECRET, "tok-1234" })
    assert.equal(2, #server:requests(TOKEN))
    assert.equal(2, #server:requests(USERS))
  end)
end)

describe("a text that is long", function()
  -- Each takes more than two seconds where what reads it takes the square of its length. Valgrind takes longer.
  local SOON = os.getenv("RUN_LUA"):find "valgrind" and 60 or 2
  local digits, pluses = ("1"):rep(48000) .. "x", ("+"):rep(60000)

  it("in a rate limit's header costs no time", function()
    for _, name in ipairs { "RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After" } do
      local ended = ends(walk { body = page(ONE), headers = { name .. ": " .. digits } }, "1")
      assert.is_true(ended.seconds < SOON, name)
    end
  end)

  it("in an error's body costs no time", function()
    local ended = ends(walk { status = 503, body = pluses:rep(10) }, "", "http")
    assert.is_true(ended.seconds < SOON)
  end)

  it("as a page token costs no time", function()
    local ended = ends(walk { { body = page(ONE, '"' .. pluses .. '"') }, { body = page(TWO) } }, "1 2")
    assert.is_true(ended.seconds < SOON)
  end)

  local function acme(paging, answers)
    server:script(answers)
    local began = core.now()
    local users, err = rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/users", items = "/data", paging = paging },
    }, { token = SECRET, base_url = server.url, retry = false }):users():collect()
    return users, err, core.now() - began
  end

  it("as a total costs no time", function()
    local _, err, seconds = acme({ type = "page", query = "page", total = "/total" },
      { ["/users"] = { { body = ('{"data":[%s],"total":"%sx"}'):format(ONE, ("0"):rep(100000)) } } })
    check.failure(err, "decode", { SECRET })
    assert.is_true(seconds < SOON)
  end)

  it("as a link that others are relative to costs no time", function()
    local long = "/" .. ("a"):rep(60000)
    local users, _, seconds = acme({ type = "next_url", next = "/next" }, {
      ["/users"] = { { body = ('{"data":[%s],"next":"%s"}'):format(ONE, long) } },
      [long] = { { body = ('{"data":[%s],"next":"last"}'):format(TWO) } },
      ["/last"] = { { body = '{"data":[]}' } },
    })
    assert.equal(2, #users)
    assert.is_true(seconds < SOON)
  end)
end)
