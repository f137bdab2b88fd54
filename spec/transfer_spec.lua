-- The engine and its transfers, against the sandbox and, for answers that it never gives, a scripted server.

local cjson = require "cjson"
local core = require "rollcall.core"
local http = require "spec.support.http"
local sandbox = require "spec.support.sandbox"
local server = require "spec.support.server"

local NOBODY = "http://127.0.0.1:1/" -- nothing listens there
local instrumented = package.cpath:find("%-asan/") or package.cpath:find("%-valgrind/")

-- A request of the engine, with the options that all of them have here.
local function ask(engine, options)
  local asked = { proxy = "", idle_timeout = 20, ca_file = sandbox.ca_file }
  for name, value in pairs(options) do
    asked[name] = value
  end
  return assert(engine:request(asked))
end

-- Waits until the transfer is done; never forever.
local function finish(engine, transfer)
  local limit = core.now() + 30
  while not transfer:done() do
    assert(core.now() < limit, "the transfer does not end")
    core.wait({ engine }, 1)
  end
  return transfer
end

local function get(options)
  local engine = core.engine()
  if type(options) == "string" then
    options = { url = options }
  end
  return finish(engine, ask(engine, options))
end

-- Calls f for every user of a transfer, until it is done; answers how many. The way a walk does it.
local function read(engine, transfer, f)
  local count, limit = 0, core.now() + 60
  while true do
    local done = transfer:done()
    local user = transfer:next() or transfer:next() -- the first nil may only say that the body has ended
    if user ~= nil then
      count = count + 1
      if f then
        f(user, count)
      end
    elseif done then
      return count
    elseif not transfer:done() then
      assert(core.now() < limit, "the transfer does not end")
      core.wait({ engine }, 1)
    end
  end
end

local function escape(text)
  return (text:gsub("%W", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

-- The header with a token.
local function token_of(provider, account)
  local answer
  if provider == "tesouro" then
    answer = http.request {
      method = "POST", url = sandbox.tesouro_url .. "/openid/connect/token",
      body = ("grant_type=client_credentials&client_id=%s&client_secret=%s"):format(escape(sandbox.id),
        escape(sandbox.secret)),
    }
  else
    local login = ("http://%s:%s@"):format(escape(sandbox.id), escape(sandbox.secret))
    answer = http.request {
      method = "POST",
      url = login .. sandbox.dintero_url:match "//(.*)" .. "/v1/accounts/" .. account .. "/auth/token",
      headers = { "Content-Type: application/json" },
      body = cjson.encode {
        grant_type = "client_credentials", audience = "https://api.dintero.com/v1/accounts/" .. account,
      },
    }
  end
  assert(answer.status == 200, answer.body)
  return "Authorization: Bearer " .. cjson.decode(answer.body).access_token
end

-- The request for all users of a Dintero account, fed to a decoder.
local function users_of(account, options)
  local asked = {
    url = ("%s/v1/accounts/%s/management/users"):format(sandbox.dintero_url, account),
    decoder = core.decoder { items = "" },
  }
  for name, value in pairs(options or {}) do
    asked[name] = value
  end
  asked.headers = asked.headers or { token_of("dintero", account) }
  return asked
end

-- The resident memory of this process in KiB; nil where it cannot be told.
local function resident()
  local file = io.open "/proc/self/statm"
  local pages = file and file:read "*a":match "^%d+ (%d+)"
  if file then
    file:close()
  end
  return pages and tonumber(pages) * 4
end

local scripted

setup(function()
  sandbox.reset()
  scripted = server.start()
end)

teardown(function()
  scripted:stop()
  sandbox.restore()
end)

describe("a transfer", function()
  it("brings status, headers and a collected body", function()
    local transfer = get(sandbox.control_url .. "/config")
    assert.is_true(transfer:done())
    assert.is_nil(transfer:failure())
    assert.equal(200, transfer:status())
    assert.equal("application/json", transfer:header "Content-Type")
    assert.equal("application/json", transfer:header "content-TYPE")
    assert.is_nil(transfer:header "x-absent")
    assert.is_nil(transfer:header "content")
    assert.is_nil(transfer:header "")
    local body, cut = transfer:body()
    assert.equal(30, cjson.decode(body).rate_limit and 30)
    assert.is_false(cut)
    local bytes, seconds = transfer:usage()
    assert.is_true(bytes > #body and bytes < #body + 2000)
    assert.is_true(seconds >= 0 and seconds < 10)
    assert.is_nil(transfer:next())
  end)

  it("knows nothing before the server has answered", function()
    local engine = core.engine()
    local transfer = ask(engine, { url = sandbox.control_url .. "/config" })
    assert.is_false(transfer:done())
    assert.is_nil(transfer:status())
    assert.is_nil(transfer:failure())
    assert.is_nil(transfer:header "content-type")
    assert.same({ "", false }, { transfer:body() })
    assert.is_nil(transfer:next())
    finish(engine, transfer)
    assert.equal(200, transfer:status())
  end)

  it("sends method, headers and body", function()
    scripted:script { ["/echo"] = { { status = 201, headers = { "X-One: 1" }, body = "made" } } }
    for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
      local body = method ~= "GET" and "some \0 bytes \255" or nil
      local transfer = get { method = method, url = scripted.url .. "/echo", body = body, headers = { "X-Mine: yes" } }
      assert.is_nil(transfer:failure())
      assert.equal(201, transfer:status())
      assert.equal("made", (transfer:body()))
      assert.equal("1", transfer:header "x-one")
    end
    local requests = scripted:requests "/echo"
    assert.equal(5, #requests)
    for i, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
      assert.equal(method, requests[i].method)
      assert.equal("yes", requests[i].headers["x-mine"])
      assert.equal(method ~= "GET" and "14" or nil, requests[i].headers["content-length"])
    end
  end)

  it("joins the values of a repeated header, and trims them", function()
    scripted:script { ["/h"] = { {
      headers = { "X-A: one", "X-B:  \t padded \t", "x-a: two", "X-Empty:" }, body = "[]",
    } } }
    local transfer = get(scripted.url .. "/h")
    assert.equal("one, two", transfer:header "X-A")
    assert.equal("padded", transfer:header "x-b")
    assert.equal("", transfer:header "x-empty")
  end)

  it("joins all values of a header, however often it comes", function()
    local headers, values = {}, {}
    for i = 1, 200 do
      headers[i], values[i] = "X-A: " .. i, tostring(i)
    end
    scripted:script { ["/h"] = { { headers = headers, body = "[]" } } }
    assert.equal(table.concat(values, ", "), get(scripted.url .. "/h"):header "x-a")
  end)

  it("does not follow redirects", function()
    scripted:script {
      ["/from"] = { { status = 302, headers = { "Location: /to" }, body = "moved" } }, ["/to"] = { {} },
    }
    local transfer = get { url = scripted.url .. "/from", decoder = core.decoder { items = "" } }
    assert.equal(302, transfer:status())
    assert.equal("/to", transfer:header "location")
    assert.equal("moved", (transfer:body()))
    assert.same({}, scripted:requests "/to")
  end)

  it("feeds a decoder as the body arrives", function()
    local _, texts = sandbox.data.dintero.users "T12345678"
    local engine = core.engine()
    local transfer = ask(engine, users_of "T12345678")
    local count = read(engine, transfer, function(user, number)
      if core.json(user) ~= texts[number] then
        error(("user %d: %s"):format(number, core.json(user)))
      end
    end)
    assert.equal(1200, count)
    assert.equal(200, transfer:status())
    assert.is_nil(transfer:failure())
    assert.same({ "", false }, { transfer:body() })
  end)

  it("gives users before the body has ended", function()
    scripted:script {
      ["/slow"] = { { body = '[{"id":1},{"id":2},{"id":3}]', step = 10, pause = 0.3, chunked = true } },
    }
    local engine = core.engine()
    local transfer = ask(engine, { url = scripted.url .. "/slow", decoder = core.decoder { items = "" } })
    local early
    read(engine, transfer, function(user, number)
      assert.equal(number, user.id)
      if number == 1 then
        early = not transfer:done()
      end
    end)
    assert.is_true(early)
  end)

  it("tells once that the body has ended, before the users that wait", function()
    local engine = core.engine()
    local transfer = finish(engine, ask(engine, users_of "T123"))
    assert.is_nil(transfer:next())
    for _ = 1, 3 do
      assert.equal("userdata", type(transfer:next()))
    end
    assert.is_nil(transfer:next())
    assert.is_nil(transfer:next())
  end)

  it("makes room for 64 values on the stack of a coroutine that has just begun", function()
    local objects, rules, expected = {}, {}, { true }
    for i = 1, 64 do
      rules[i], expected[i + 1] = "/a", "text"
    end
    for i = 1, 100 do
      objects[i] = '{"a":"text"}'
    end
    scripted:script { ["/texts"] = { { body = "[" .. table.concat(objects, ",") .. "]" } } }
    local engine = core.engine()
    local transfer = finish(engine, ask(engine, { url = scripted.url .. "/texts",
      decoder = core.decoder { items = "" } }))
    assert.is_nil(transfer:next()) -- which says that the body has ended
    for i = 1, 100 do
      rules[64] = i % 2 == 0 and "/a" or function(user) return user.a end
      local selection = core.selection(rules)
      assert.same(expected, { coroutine.wrap(function() return transfer:values(selection) end)() })
    end
    assert.is_nil(transfer:next())
  end)

  it("collects the body of an error though there is a decoder", function()
    local decoder = core.decoder { items = "" }
    local transfer = get { url = sandbox.dintero_url .. "/v1/accounts/T123/management/users", decoder = decoder }
    assert.equal(401, transfer:status())
    assert.is_nil(transfer:failure())
    assert.equal("unauthorized", cjson.decode((transfer:body())).error.code)
    assert.is_nil(transfer:next())
    assert.is_nil(decoder:next())
  end)

  it("ends where the decoder refuses, after the users before it", function()
    scripted:script { ["/bad"] = { { body = '[{"id":1},{"id":2},oops' .. (" "):rep(100000) } } }
    local engine, decoder = core.engine(), core.decoder { items = "" }
    local transfer = ask(engine, { url = scripted.url .. "/bad", decoder = decoder })
    assert.equal(2, read(engine, transfer))
    assert.equal("refused", (transfer:failure()))
    local _, err = decoder:next()
    assert.equal("unexpected_byte", err.code)
    assert.equal(19, err.offset)
  end)

  it("is a failure where the body breaks off, after the users before it", function()
    scripted:script { ["/cut"] = { { body = '[{"id":1},{"id":2},{"id":3}]', cut = 22 } } }
    local engine = core.engine()
    local transfer = ask(engine, { url = scripted.url .. "/cut", decoder = core.decoder { items = "" } })
    assert.equal(2, read(engine, transfer))
    assert.equal("network", (transfer:failure()))
  end)

  it("gives nothing more once it is cancelled, and its engine goes on", function()
    local engine = core.engine()
    local transfer = ask(engine, users_of "T90100000")
    local other = ask(engine, { url = sandbox.control_url .. "/config" })
    repeat
      core.wait({ engine }, 5)
    until transfer:status()
    transfer:cancel()
    transfer:cancel()
    for _, method in ipairs { "next", "done", "failure", "status", "header", "body", "usage", "conflict" } do
      local good, message = pcall(transfer[method], transfer, "x")
      assert.is_false(good)
      assert.truthy(message:find "the transfer was cancelled", message)
    end
    assert.equal(200, finish(engine, other):status())
    assert.equal(3, read(engine, ask(engine, users_of "T123")))
  end)

  it("may be forgotten while it runs", function()
    local engine = core.engine()
    local header = token_of("dintero", "T90100000")
    for round = 1, 5 do
      for _ = 1, 10 do
        ask(engine, users_of("T90100000", { headers = { header, "X-Round: " .. round } }))
        ask(engine, { url = sandbox.control_url .. "/config" })
      end
      core.wait({ engine }, 0.01)
      collectgarbage()
      collectgarbage()
      engine:drive()
    end
    assert.equal(3, read(engine, ask(engine, users_of "T123")))
  end)

  it("keeps its engine and its decoder alive", function()
    local transfer = ask(core.engine(), users_of "T12345678")
    collectgarbage()
    collectgarbage()
    local count, limit = 0, core.now() + 30
    repeat
      assert(core.now() < limit)
      count = count + (transfer:next() and 1 or 0)
    until count == 1200
    assert.is_true(transfer:done())
    assert.is_nil(transfer:failure())
  end)
end)

describe("an engine", function()
  it("runs many transfers at once, and keeps their connections", function()
    sandbox.reset()
    local header = token_of("dintero", "T12345678")
    local engine, before = core.engine(), sandbox.stats().dintero.connections
    local transfers = {}
    for i = 1, 20 do
      transfers[i] = ask(engine, users_of("T12345678", { headers = { header } }))
    end
    for _, transfer in ipairs(transfers) do
      assert.equal(1200, read(engine, transfer))
    end
    local middle = sandbox.stats().dintero.connections
    for _ = 1, 10 do
      assert.equal(1200, read(engine, ask(engine, users_of("T12345678", { headers = { header } }))))
    end
    assert.equal(middle, sandbox.stats().dintero.connections)
    assert.is_true(middle - before <= 20)
  end)

  it("closed with transfers in flight makes them failures", function()
    local engine = core.engine()
    local transfers = { ask(engine, users_of "T90100000"), ask(engine, { url = sandbox.control_url .. "/config" }) }
    repeat
      core.wait({ engine }, 5)
    until transfers[1]:status()
    local waiting = ask(engine, { url = NOBODY })
    engine:close()
    engine:close()
    for _, transfer in ipairs { transfers[1], waiting } do
      assert.is_true(transfer:done())
      assert.same({ "network", "closed" }, { transfer:failure() })
      transfer:header "x"
      transfer:body()
      transfer:usage()
    end
    local good, message = pcall(engine.timeout, engine)
    assert.is_false(good)
    assert.truthy(message:find "the engine is closed", message)
    local transfer, err = engine:request { url = NOBODY }
    assert.is_nil(transfer)
    assert.equal("closed", err.kind)
    engine:drive()
    engine:notify()
    core.wait { engine } -- not for an hour
  end)

  it("closed leaves the users that have come", function()
    local engine = core.engine()
    local transfer = finish(engine, ask(engine, users_of("T12345678", { watermark = 2 ^ 20 })))
    engine:close()
    assert.equal(1200, read(engine, transfer))
    collectgarbage()
  end)

  it("may be forgotten with all that it runs", function()
    for _ = 1, 10 do
      local engine = core.engine()
      ask(engine, users_of "T90100000")
      engine:drive()
    end
    collectgarbage()
    collectgarbage()
  end)
end)

describe("a pause", function()
  it("holds the transfer where nobody reads, and nothing is lost", function()
    local engine, decoder = core.engine(), core.decoder { items = "" }
    local watermark = 256 * 1024
    local transfer = ask(engine, users_of("T90100000", { decoder = decoder, watermark = watermark, idle_timeout = 1 }))
    -- Longer than the idle timeout, which a pause does not count.
    local limit = core.now() + 1.5
    local last
    while core.now() < limit do
      core.wait({ engine }, 0.1)
      last = transfer:usage()
    end
    core.wait({ engine }, 0.2)
    assert.equal(last, (transfer:usage()))
    assert.is_false(transfer:done())
    local waiting, count = 0, 0
    while true do
      local user = decoder:next() -- not transfer:next, which would resume it
      if user == nil then
        break
      end
      waiting, count = waiting + #core.json(user), count + 1
    end
    -- The index of the fields counts, too.
    assert.is_true(waiting > watermark / 4 and waiting < watermark + 65536)
    assert.equal(100000, count + read(engine, transfer, function(user, number)
      local expected = ("user%07d@n100000.big.example"):format(count + number)
      if user.email ~= expected then
        error(("expected %s, got %s"):format(expected, user.email))
      end
    end))
    assert.is_nil(transfer:failure())
  end)

  it("holds it for what follows the users, too", function()
    local body = '{"data":[{"id":1}],"after":["' .. ("x"):rep(3000000) .. '"]}'
    scripted:script { ["/after"] = { { body = body } } }
    local engine = core.engine()
    local transfer = ask(engine, {
      url = scripted.url .. "/after", decoder = core.decoder { items = "/data" }, watermark = 100000,
    })
    for _ = 1, 5 do
      core.wait({ engine }, 0.1)
    end
    assert.is_false(transfer:done())
    assert.is_true((transfer:usage()) < 1000000)
    assert.equal(1, read(engine, transfer))
    assert.is_nil(transfer:failure())
    assert.is_true((transfer:usage()) > 3000000)
  end)

  it("keeps the memory flat over a body of 50 MB", function()
    for _, encoding in ipairs { "gzip", "identity" } do
      local engine = core.engine()
      local header = token_of("dintero", "T90100000")
      local transfer = ask(engine, users_of("T90100000", { headers = { header, "Accept-Encoding: " .. encoding } }))
      local first, most
      local count = read(engine, transfer, function(_, number)
        if number % 5000 == 0 then
          collectgarbage()
          first = first or resident()
          most = math.max(most or 0, resident() or 0)
        end
      end)
      assert.equal(100000, count)
      assert.equal(encoding == "identity", (transfer:usage()) > 40e6)
      if first and not instrumented then
        assert.is_true(most - first < 8192, ("it grew by %d KiB"):format(most - first))
      end
    end
  end)
end)

describe("a limit", function()
  it("max_collected cuts a collected body", function()
    scripted:script { ["/long"] = { { status = 400, body = ("x"):rep(5000) } } }
    local transfer = get { url = scripted.url .. "/long", max_collected = 100 }
    assert.same({ ("x"):rep(100), true }, { transfer:body() })
    assert.is_nil(transfer:failure())
    transfer = get { url = scripted.url .. "/long", max_collected = 5000 }
    assert.same({ ("x"):rep(5000), false }, { transfer:body() })
    transfer = get { url = scripted.url .. "/long", max_collected = 0 }
    assert.same({ "", true }, { transfer:body() })
  end)

  it("max_body ends an answer that is longer", function()
    scripted:script { ["/long"] = { { body = ("x"):rep(5000) } } }
    local transfer = get { url = scripted.url .. "/long", max_body = 4999 }
    assert.same({ "too_large", "the body is too large" }, { transfer:failure() })
    assert.is_nil(get({ url = scripted.url .. "/long", max_body = 5000 }):failure())
  end)

  it("max_headers ends an answer with more of them", function()
    local headers = {}
    for i = 1, 50 do
      headers[i] = ("X-%d: %s"):format(i, ("h"):rep(100))
    end
    scripted:script { ["/headers"] = { { headers = headers, body = "[]" } } }
    assert.equal("too_large", (get({ url = scripted.url .. "/headers", max_headers = 1000 }):failure()))
    assert.is_nil(get({ url = scripted.url .. "/headers", max_headers = 10000 }):failure())
  end)

  it("idle_timeout ends a transfer that brings nothing", function()
    scripted:script { ["/late"] = { { delay = 3, body = "[]" } } }
    local start = core.now()
    local transfer = get { url = scripted.url .. "/late", idle_timeout = 0.2 }
    local took = core.now() - start
    assert.same({ "timeout", "nothing was received for 0.2 seconds" }, { transfer:failure() })
    assert.is_nil(transfer:status())
    assert.is_true(took >= 0.19 and took < 2, took)
  end)

  it("idle_timeout lets a slow answer through as long as it moves", function()
    scripted:script { ["/drip"] = { { body = '[{"id":1},{"id":2}]', step = 4, pause = 0.1, chunked = true } } }
    local engine = core.engine()
    local transfer = ask(engine, {
      url = scripted.url .. "/drip", idle_timeout = 0.4, decoder = core.decoder { items = "" },
    })
    assert.equal(2, read(engine, transfer))
    assert.is_nil(transfer:failure())
  end)

  it("timeout ends the whole exchange", function()
    scripted:script { ["/drip"] = { { body = ("[ "):rep(100), step = 1, pause = 0.05, chunked = true } } }
    local start = core.now()
    local transfer = get { url = scripted.url .. "/drip", timeout = 0.3 }
    assert.same({ "timeout", "the exchange took more than 0.3 seconds" }, { transfer:failure() })
    assert.is_true(core.now() - start < 2)
  end)
end)

describe("a failure", function()
  it("is of the network where nobody listens", function()
    local transfer = get(NOBODY)
    local kind, line = transfer:failure()
    assert.equal("network", kind)
    assert.truthy(line:find("127.0.0.1", 1, true), line)
    assert.falsy(line:find "\n")
    assert.is_nil(transfer:status())
  end)

  it("is of the network where the answer is none", function()
    scripted:script { ["/silent"] = { { silent = true } }, ["/raw"] = { { raw = "nonsense\r\n\r\n" } } }
    for _, path in ipairs { "/silent", "/raw" } do
      local transfer = get(scripted.url .. path)
      assert.equal("network", (transfer:failure()), path)
    end
  end)

  it("is what an address that is none or of another protocol gets", function()
    for _, url in ipairs { "ftp://127.0.0.1/", "file:///etc/hosts", "gopher://127.0.0.1/", "http://[", "http://", "",
      "http://127.0.0.1:99999/", scripted.url .. "/a\r\nX-Evil: 1", scripted.url .. "/a b" } do
      local engine = core.engine()
      local transfer, err = engine:request { url = url, proxy = "" }
      if transfer then
        assert.equal("network", (finish(engine, transfer):failure()))
        assert.is_nil(transfer:status())
      else
        assert.equal("network", err.kind)
      end
    end
    for _, request in ipairs(scripted:requests()) do
      assert.is_nil(request.headers["x-evil"])
    end
  end)
end)

describe("headers", function()
  it("that begin with a folded line are an error at most, behind another answer too", function()
    scripted:script {
      ["/first"] = { { headers = { "X-Request-Id: one" }, body = "[]" } },
      ["/folded"] = { { raw = "HTTP/1.1 200 OK\r\n folded: 1\r\nX-Request-Id: two\r\n\r\n[]" } },
    }
    local engine = core.engine()
    local function ask_for(path)
      return finish(engine, ask(engine, { url = scripted.url .. path }))
    end
    for _ = 1, 2 do
      local transfer = ask_for "/first"
      assert.is_nil(transfer:failure())
      assert.equal("one", transfer:header "x-request-id")
      transfer = ask_for "/folded"
      local failure, line = transfer:failure()
      if failure then -- libcurl 7.88 refuses it, 8 takes it
        assert.equal("network", failure)
        assert.equal("the server sent a line among its headers that is none", line)
      else
        assert.equal("two", transfer:header "x-request-id")
      end
    end
  end)

  it("are those of the final answer, and not of one on the way", function()
    scripted:script { ["/hints"] = { { raw = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=next\r\n\r\n"
      .. "HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n[]" } } }
    local transfer = get(scripted.url .. "/hints")
    assert.is_nil(transfer:header "link")
    assert.equal("1", transfer:header "x-one")
    assert.equal("HTTP/1.1 200 OK", transfer:headers():match "^[^\r\n]*")
  end)

  it("have no Expect, for whose answer a large body would wait", function()
    scripted:script { ["/b"] = { { body = "[]" } } }
    get { url = scripted.url .. "/b", method = "POST", body = ("x"):rep(2 ^ 21) }
    assert.is_nil(scripted:requests("/b")[1].headers.expect)
  end)
end)

describe("a transfer that is cancelled", function()
  it("ends at once", function()
    scripted:script { ["/slow"] = { { delay = 5 } } }
    local engine = core.engine()
    local transfer = ask(engine, { url = scripted.url .. "/slow" })
    repeat
      core.wait({ engine }, 0.05)
    until #scripted:requests "/slow" > 0
    assert.equal(1, engine:sockets {}) -- libcurl 8.21 has one more, to be woken by
    transfer:cancel()
    assert.equal(0, engine:sockets {})
    assert.is_nil(engine:timeout())
  end)
end)

describe("TLS", function()
  local config = "/v1/accounts/T123/management/users"

  it("is verified by the authorities of ca_file", function()
    local transfer = get(sandbox.dintero_https_url .. config)
    assert.is_nil(transfer:failure())
    assert.equal(401, transfer:status())
    assert.equal(401, get((sandbox.dintero_https_url .. config):gsub("127.0.0.1", "localhost"), nil):status())
  end)

  it("fails where the authority is not trusted", function()
    local engine = core.engine()
    local transfer = finish(engine, engine:request { url = sandbox.dintero_https_url .. config, proxy = "" })
    local kind, line = transfer:failure()
    assert.equal("tls", kind)
    assert.truthy(line:lower():find "certificate", line)
    assert.is_nil(transfer:status())
  end)

  it("fails where a file is missing or is none", function()
    for _, options in ipairs {
      { ca_file = "/nonexistent/ca.pem" }, { ca_file = "Makefile" }, { client_cert = "/nonexistent/cert.pem" },
      { client_cert = "Makefile", client_key = "Makefile" },
    } do
      options.url = sandbox.dintero_https_url .. config
      assert.equal("tls", (get(options):failure()))
    end
  end)

  it("fails where the server speaks none", function()
    local kind = get((sandbox.dintero_url .. config):gsub("http:", "https:"), nil):failure()
    assert.truthy(kind == "tls" or kind == "network")
  end)

  it("is taken up again by a new connection of the engine", function()
    sandbox.reset()
    local engine = core.engine()
    local options = { url = sandbox.dintero_https_url .. config, fresh_connection = true }
    for _ = 1, 2 do
      assert.equal(401, finish(engine, ask(engine, options)):status())
    end
    local requests = sandbox.log("GET", "dintero")
    assert.is_false(requests[1].tls_resumed)
    assert.is_true(requests[2].tls_resumed)
  end)

  it("is shaken hands for again where the script was busy elsewhere, behind a proxy, too", function()
    local host, port = sandbox.dintero_https_url:match "//([%d.]+:(%d+))"
    scripted:script { [host] = {
      { headers = { "Via: a proxy" }, length = false, type = false, hold = 0.3, tunnel = port },
    } }
    local engine = core.engine()
    local transfer = ask(engine, {
      url = sandbox.dintero_https_url .. config, proxy = scripted.url, connect_timeout = 1.5,
    })
    local until_when = core.now() + 0.1
    while core.now() < until_when do
      core.wait({ engine }, 0.01)
    end
    core.wait({}, 2) -- busy
    finish(engine, transfer)
    assert.equal(401, transfer:status(), select(2, transfer:failure()))
    assert.equal(2, #scripted:requests(host))
  end)

  it("is not what fails where the network breaks the handshake", function()
    local host = sandbox.dintero_https_url:match "//([%d.]+:%d+)"
    for _, how in ipairs { "close", "reset" } do
      scripted:script { [host] = { { headers = { "Via: a proxy" }, length = false, type = false, body = "",
        [how] = true } } }
      assert.equal("network", (get { url = sandbox.dintero_https_url .. "/x", proxy = scripted.url }:failure()), how)
    end
  end)

  it("carries HTTP/2, many requests over one connection", function()
    sandbox.reset()
    local header = token_of("dintero", "T12345678")
    local engine = core.engine()
    local address = sandbox.dintero_https_url .. "/v1/accounts/T12345678/management/users"
    local transfers, before = {}, sandbox.stats().dintero.connections
    for i = 1, 20 do
      transfers[i] = ask(engine, users_of("T12345678", { url = address, headers = { header } }))
    end
    for _, transfer in ipairs(transfers) do
      assert.equal(1200, read(engine, transfer))
      assert.is_nil(transfer:failure())
    end
    local requests = sandbox.log("GET", "dintero")
    assert.equal(20, #requests)
    for _, request in ipairs(requests) do
      assert.equal("HTTP/2.0", request.protocol)
    end
    assert.is_true(sandbox.stats().dintero.connections - before <= 1)
    assert.equal(1200, read(engine, ask(engine, users_of "T12345678")))
    requests = sandbox.log("GET", "dintero")
    assert.equal("HTTP/1.1", requests[#requests].protocol)
  end)
end)

describe("a paused transfer over HTTP/2", function()
  it("takes nothing while others run, unless they share its connection", function()
    sandbox.reset()
    local account = "T90040000"
    local header = token_of("dintero", account)
    local address = ("%s/v1/accounts/%s/management/users"):format(sandbox.dintero_https_url, account)
    local engine = core.engine { multiplex = false }
    local paused = ask(engine, users_of(account, { url = address, headers = { header }, watermark = 65536 }))
    repeat
      core.wait({ engine }, 1)
    until paused:next()
    local before, unchanged = 0, 0
    while unchanged < 5 do
      core.wait({ engine }, 0.05)
      unchanged, before = paused:usage() == before and unchanged + 1 or 0, (paused:usage())
    end
    header = token_of("dintero", "P321")
    local connections = sandbox.stats().dintero.connections
    address = sandbox.dintero_https_url .. "/v1/accounts/P321/management/users"
    for _ = 1, 20 do
      assert.equal(45, read(engine, ask(engine, users_of("P321", { url = address, headers = { header } }))))
    end
    assert.equal(before, (paused:usage()))
    local requests = sandbox.log("GET", "dintero")
    assert.equal("HTTP/2.0", requests[#requests].protocol)
    assert.equal(1, sandbox.stats().dintero.connections - connections)
    assert.equal(40000 - 1, read(engine, paused))
    assert.is_nil(paused:failure())
  end)
end)

describe("gzip", function()
  it("is asked for and undone", function()
    local _, texts = sandbox.data.dintero.users "T12345678"
    local whole = table.concat(texts)
    local header = token_of("dintero", "T12345678")
    local zipped = get(users_of("T12345678", { headers = { header }, watermark = 2 ^ 20 }))
    assert.equal("gzip", zipped:header "content-encoding")
    assert.is_true((zipped:usage()) < #whole / 2)
    local options = users_of("T12345678", { headers = { header }, max_collected = 2 ^ 24 })
    options.decoder = nil
    local collected = get(options)
    assert.equal("gzip", collected:header "content-encoding")
    local body, cut = collected:body()
    assert.is_false(cut)
    assert.equal("[\n" .. table.concat(texts, ",\n") .. "\n]\n", body)
    options.headers = { header, "Accept-Encoding: identity" }
    local plain = get(options)
    assert.is_nil(plain:header "content-encoding")
    assert.is_true((plain:usage()) > #whole)
    assert.equal(body, (plain:body()))
  end)
end)

describe("a request", function()
  local engine = core.engine()

  local function raises(pattern, options)
    local good, message = pcall(engine.request, engine, options)
    assert.is_false(good)
    assert.truthy(tostring(message):find(pattern, 1, true), message)
  end

  it("with a line break in a header or a method is refused", function()
    scripted:script { ["/x"] = { {} } }
    local url = scripted.url .. "/x"
    for _, line in ipairs { "X-A: 1\r\nX-B: 2", "X-A: 1\nX-B: 2", "X-A: 1\r", "\n", "X-A: 1\0", "X\0: 1" } do
      raises("a line break or NUL in header 2", { url = url, headers = { "X-Good: 1", line } })
    end
    for _, method in ipairs { "GET / HTTP/1.1\r\nX-Evil: 1", "G\nET", "GET ", "GET\r" } do
      raises("method", { url = url, method = method })
    end
    raises("method: a NUL byte in it", { url = url, method = "GET\0" })
    raises("url: a NUL byte in it", { url = url .. "\0x" })
    assert.same({}, scripted:requests "/x")
  end)

  it("raises what is wrong with an option, by its name", function()
    raises("url: expected a string, got nil", {})
    raises("url: expected a string, got number", { url = 1 })
    raises('there is no option "ulr"', { ulr = NOBODY })
    raises("expected a table of options, got string", NOBODY)
    for _, name in ipairs { "method", "ca_file", "client_cert", "client_key", "proxy" } do
      raises(name .. ": expected a string, got ", { url = NOBODY, [name] = {} })
    end
    for _, name in ipairs { "connect_timeout", "idle_timeout", "timeout" } do
      for _, value in ipairs { -1, 0 / 0, math.huge, "1", {} } do
        raises(name .. ": expected seconds", { url = NOBODY, [name] = value })
      end
    end
    for _, name in ipairs { "max_body", "max_headers", "max_collected", "watermark" } do
      for _, value in ipairs { -1, 0.5, 0 / 0, math.huge, "1", {} } do
        raises(name .. ": expected a whole number", { url = NOBODY, [name] = value })
      end
    end
    raises("headers: expected a list of strings, got string", { url = NOBODY, headers = "X: 1" })
    raises("headers: 2: expected a string, got number", { url = NOBODY, headers = { "A: b", 1 } })
    raises("body: expected a string, got number", { url = NOBODY, body = 1 })
    for _, value in ipairs { 1, "x", {}, core.null, engine } do
      raises("rollcall.decoder expected", { url = NOBODY, decoder = value })
    end
    local headers = {}
    for i = 1, 65 do
      headers[i] = "X-Number: " .. i
    end
    raises("expected at most 64 strings", { url = NOBODY, headers = headers })
  end)

  it("copies what it is given", function()
    scripted:script { ["/copy"] = { {} } }
    local headers = { "X-Long: " .. ("h"):rep(100) }
    local options = { method = "PO" .. "ST", url = scripted.url .. "/copy", headers = headers, body = ("b"):rep(300) }
    local transfer = ask(engine, options)
    headers[1], options.url, options.body, options.method = "X-Other: 1", NOBODY, "c", "GET"
    collectgarbage()
    finish(engine, transfer)
    local request = scripted:requests "/copy"[1]
    assert.equal("POST", request.method)
    assert.equal(("h"):rep(100), request.headers["x-long"])
    assert.equal("300", request.headers["content-length"])
    assert.same({ "X-Other: 1" }, headers)
  end)
end)

describe("core.wait", function()
  it("reads the sockets of each of several engines, also behind one that waits", function()
    local silent = assert(require("socket").bind("127.0.0.1", 0)) -- takes connections, and says nothing
    local _, port = silent:getsockname()
    local engines = { core.engine(), core.engine() }
    local waiting = ask(engines[1], { url = ("http://127.0.0.1:%d/"):format(port) })
    local transfer = ask(engines[2], { url = sandbox.control_url .. "/config" })
    local limit = core.now() + 5
    while not transfer:done() do
      assert(core.now() < limit, "it is not read")
      core.wait(engines, 1)
    end
    assert.equal(200, transfer:status())
    assert.is_false(waiting:done())
    waiting:cancel()
    silent:close()
  end)

  local function timed(f)
    local start = core.now()
    f()
    return core.now() - start
  end

  it("sleeps for as long as told where there is nothing to do", function()
    local engine = core.engine()
    for _, engines in ipairs { {}, { engine }, { engine, core.engine() } } do
      local took = timed(function()
        core.wait(engines, 0.1)
      end)
      assert.is_true(took >= 0.099 and took < 1, took)
      took = timed(function()
        core.wait(engines, 0)
      end)
      assert.is_true(took < 0.05, took)
    end
  end)

  it("ends when something has happened on one of the engines", function()
    local engines = { core.engine(), core.engine(), core.engine() }
    local transfer = ask(engines[2], { url = sandbox.control_url .. "/config" })
    local took = timed(function()
      while not transfer:done() do
        core.wait(engines, 20)
      end
    end)
    assert.is_true(took < 5, took)
  end)

  it("ends at once where something happened since the last wait, once", function()
    local engine = core.engine()
    local transfer = ask(engine, { url = sandbox.control_url .. "/config" })
    local limit = core.now() + 10
    while not transfer:done() do
      assert(core.now() < limit)
      engine:drive()
    end
    assert.is_true(timed(function()
      core.wait({ engine }, 5)
    end) < 1)
    local took = timed(function()
      core.wait({ engine }, 0.1)
    end)
    assert.is_true(took >= 0.099, took)
  end)

  it("ends at once where users arrived in the turn that next gave the engine", function()
    local engine = core.engine()
    local transfer = ask(engine, users_of "T12345678")
    local limit = core.now() + 10
    while transfer:next() == nil do
      assert(core.now() < limit)
    end
    assert.is_true(timed(function()
      core.wait({ engine }, 5)
    end) < 1)
  end)

  it("does not end for a paused transfer", function()
    local engine = core.engine()
    local transfer = ask(engine, users_of("T90100000", { watermark = 1000 }))
    local limit = core.now() + 10
    local took
    repeat
      assert(core.now() < limit)
      took = timed(function()
        core.wait({ engine }, 0.2)
      end)
    until took >= 0.199
    assert.is_false(transfer:done())
    assert.is_not_nil(transfer:next())
  end)

  it("knows where a coroutine can yield", function()
    assert.is_true(coroutine.wrap(core.can_yield)())
    local inside
    coroutine.wrap(function()
      table.sort({ 1, 2 }, function(a, b)
        inside = core.can_yield()
        return a < b
      end)
    end)()
    assert.is_false(inside)
  end)

  it("says whether a record waits, and takes none", function()
    local engine = core.engine()
    local transfer = ask(engine, users_of "P321")
    assert.is_false(transfer:waits())
    local n, announced = 0, 0
    repeat
      core.wait({ engine }, 1)
      local user
      repeat
        local waits = transfer:waits()
        user = transfer:next() or transfer:next()
        assert.is_true(user ~= nil or not waits) -- one may also come in the turn that next gives the engine
        n = n + (user and 1 or 0)
        announced = announced + (waits and 1 or 0)
      until not user
    until transfer:done() and not transfer:waits()
    assert.equal(45, n)
    assert.is_true(announced > 0)
    engine:close()
  end)

  it("waits without a limit where none is told", function()
    local engine = core.engine()
    local transfer = ask(engine, users_of "P321")
    while not transfer:done() do
      core.wait({ engine })
    end
    assert.is_nil(transfer:failure())
    engine:close()
  end)

  it("raises what is wrong", function()
    local engine = core.engine()
    for _, seconds in ipairs { -1, 0 / 0, "x", {}, true } do
      assert.has_error(function()
        core.wait({ engine }, seconds)
      end)
    end
    for _, engines in ipairs { { 1 }, { {} }, { core.decoder { items = "" } }, { engine, "x" } } do
      assert.has_error(function()
        core.wait(engines, 0)
      end)
    end
    local many = {}
    for i = 1, 64 do
      many[i] = engine
    end
    core.wait(many, 0)
    many[65] = engine
    assert.has_error(function()
      core.wait(many, 0)
    end)
  end)
end)

describe("core.now", function()
  it("never goes back", function()
    local last = core.now()
    for _ = 1, 1000 do
      local now = core.now()
      assert.is_true(now >= last)
      last = now
    end
    core.wait({}, 0.02)
    assert.is_true(core.now() - last >= 0.019)
  end)
end)

describe("several at once:", function()
  it("coroutines that share an engine, and such with one each", function()
    for _, shared in ipairs { true, false } do
      local common = core.engine()
      local engines, tasks, counts = {}, {}, {}
      for i, account in ipairs { "T12345678", "P87654321", "P321", "T12345678" } do
        local engine = shared and common or core.engine()
        local _, texts = sandbox.data.dintero.users(account)
        engines[i] = engine
        tasks[i] = coroutine.create(function()
          local transfer = ask(engine, users_of(account))
          local count = 0
          repeat
            local done = transfer:done()
            local user = transfer:next() or transfer:next()
            if user ~= nil then
              count = count + 1
              assert(core.json(user) == texts[count])
            end
            coroutine.yield()
          until done and user == nil
          counts[account] = count
          assert(count == #texts)
        end)
      end
      collectgarbage()
      local limit = core.now() + 30
      local alive = #tasks
      while alive > 0 do
        assert(core.now() < limit)
        alive = 0
        for _, task in ipairs(tasks) do
          if coroutine.status(task) ~= "dead" then
            assert(coroutine.resume(task))
            alive = alive + 1
          end
        end
      end
      assert.same({ T12345678 = 1200, P87654321 = 320, P321 = 45 }, counts)
      for _, engine in ipairs(engines) do
        engine:close()
      end
    end
  end)

  -- What another Lua state does: it walks an account, and leaves another transfer running when it ends.
  local OTHER = [[
    package.path, package.cpath = %q, %q
    local core = require "rollcall.core"
    local engine = core.engine()
    local function ask(account, header)
      return assert(engine:request { url = %q .. "/v1/accounts/" .. account .. "/management/users", proxy = "",
        headers = { header }, decoder = core.decoder { items = "" } })
    end
    local transfer, count = ask("P87654321", %q), 0
    local left = ask("T90100000", %q)
    repeat
      local done = transfer:done()
      local user = transfer:next() or transfer:next()
      count = count + (user and 1 or 0)
      if not user and not done then core.wait({ engine }, 5) end
    until done and not user
    local file = assert(io.open(%q, "w"))
    file:write(count, " ", tostring((left:failure())))
    file:close()
  ]]

  -- Runs f(chunk) while a transfer of this state is under way; the chunk writes "320 nil".
  local function beside(f)
    local engine = core.engine()
    local transfer = ask(engine, users_of("T90100000", { watermark = 1000 }))
    repeat
      core.wait({ engine }, 5)
    until transfer:status()
    local path = os.tmpname()
    f(OTHER:format(package.path, package.cpath, sandbox.dintero_url, token_of("dintero", "P87654321"),
      token_of("dintero", "T90100000"), path))
    local file = assert(io.open(path))
    local written = file:read "*a"
    file:close()
    os.remove(path)
    assert.equal("320 nil", written)
    for _ = 1, 2000 do
      if transfer:next() == nil then
        core.wait({ engine }, 5)
      end
    end
    assert.is_nil(transfer:failure())
    engine:close()
  end

  local has_ffi, ffi = pcall(require, "ffi")
  local has_luv, luv = pcall(require, "luv")

  it("Lua states that end while others go on", function()
    if not has_ffi then
      pending "only LuaJIT can make another state by itself"
      return
    end
    ffi.cdef [[
      typedef struct lua_State lua_State;
      lua_State *luaL_newstate(void);
      void luaL_openlibs(lua_State *L);
      int luaL_loadstring(lua_State *L, const char *text);
      int lua_pcall(lua_State *L, int arguments, int results, int handler);
      const char *lua_tolstring(lua_State *L, int index, size_t *length);
      void lua_close(lua_State *L);
    ]]
    for _ = 1, 3 do
      beside(function(chunk)
        local L = ffi.C.luaL_newstate()
        ffi.C.luaL_openlibs(L)
        local status = ffi.C.luaL_loadstring(L, chunk)
        if status == 0 then
          status = ffi.C.lua_pcall(L, 0, 0, 0)
        end
        local message = status ~= 0 and ffi.string(ffi.C.lua_tolstring(L, -1, nil)) or nil
        ffi.C.lua_close(L)
        assert.is_nil(message)
      end)
    end
  end)

  it("Lua states in threads of their own", function()
    if not has_luv then
      pending "there is no luv here, which makes threads"
      return
    end
    beside(function(chunk)
      local thread = luv.new_thread(function(text)
        local run = rawget(_G, "loadstring") or load
        pcall(assert(run(text))) -- an error would end the process; so nothing is written
      end, chunk)
      assert.is_true(luv.thread_join(thread))
    end)
  end)
end)

describe("a collected body", function()
  it("is there once it is whole, and not before: it may still be moved", function()
    local dripping = server.start()
    dripping:script { ["/"] = { { status = 400, body = ("x"):rep(4000), chunked = true, step = 1000, pause = 0.05 } } }
    local engine = core.engine()
    local transfer = ask(engine, { url = dripping.url .. "/" })
    local early = 0
    while not transfer:done() do
      early = early + (transfer:status() and 1 or 0)
      assert.equal("", (transfer:body()))
      core.wait({ engine }, 1)
    end
    assert.is_true(early > 0)
    assert.equal(("x"):rep(4000), (transfer:body()))
    dripping:stop()
  end)
end)
