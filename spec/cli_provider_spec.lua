-- The command with providers of one's own, as processes, against a scripted server.

local check = require "spec.support.check"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local scripted = require "spec.support.server"

local run = command.run
local complaints = cli.complaints

local server

setup(function()
  cli.begin()
  server = scripted.start()
end)
teardown(function()
  server:stop()
  cli.finish()
end)

--- A configuration with one source, `acme`: more of it, and what its provider has beside name and address.
local function acme(more, declared)
  return cli.configuration(([[return { sources = { acme = { base_url = %q, token = "hunter22-token", %s
    provider = { name = "acme", base_url = { production = "https://acme.example" }, %s } } } }]]):format(server.url,
    more, declared))
end

describe("a provider without users", function()
  it("is a source that is configured wrongly", function()
    local name = acme("", 'collections = { groups = { path = "/groups", items = "", paging = { type = "none" } } }')
    for _, arguments in ipairs { { "users" }, { "review" }, { "sources" }, { "find", "jane" } } do
      arguments[#arguments + 1], arguments[#arguments + 2] = "--config", name
      local errors, status = complaints(arguments)
      assert.equal("rollcall: acme: its provider has no users, which this command lists\n", errors)
      assert.equal(2, status)
    end
    local output, errors, status = run { "check", "--config", name }
    assert.equal("", errors)
    assert.equal(3, status)
    check.contains(output, "acme: NOT WELL: configuration: its provider has no users, which this command lists. "
      .. "Correct it in " .. name)
  end)
end)

describe("a function in a configuration", function()
  it("that fails is the configuration's, and said to be", function()
    for _, more in ipairs { "", ("-- %s\n"):format(("x"):rep(200)) } do
      local name = acme(more, [[auth = { type = "function", headers = function() return os.time() end },
        users = { path = "/people", items = "", paging = { type = "none" } }]])
      local errors, status = complaints { "users", "--config", name }
      check.contains(errors, "rollcall: a function of the configuration failed: ", "'os'", "it can call nothing",
        "rollcall.providers.NAME")
      assert.is_nil(errors:find "mistake in rollcall")
      assert.is_nil(errors:find "traceback")
      assert.equal(3, status)
    end
  end)
end)

describe("a provider whose users are somewhere else", function()
  it("is not well", function()
    server:script { ["/"] = { { body = "{}" } }, ["/people?n=1"] = { { body = '[{"4131":[{"id":"a"}]}]' } },
      ["/people"] = { { body = '[{"4131":[{"id":"a"}]}]' } } }
    local name = acme("", [[users = { path = "/people", items = "", paging = { type = "none" },
      fields = { id = "/Zoho_ID", email = "/EmailID" } }]])
    local output, errors, status = run { "check", "--config", name }
    assert.equal("", errors)
    assert.equal(3, status)
    check.contains(output, "acme: Credentials: accepted.", "NOT WELL: Users: can be read, but the first one has no id")
  end)
end)

describe("the source of a user", function()
  it("is ours, however the user writes one of its own", function()
    local users = { [[{"id":1,"\u0073ource":"theirs","\u0070rovider":"theirs","m\u0066a":true}]],
      [[{"id":2,"sourc\u0065":null,"\u0069d":2}]], [[{"id":3,"provide\u0072":null,"n\u0061me":"\u0061"}]] }
    server:script { ["/people"] = { { body = "[" .. table.concat(users, ",") .. "]" } } }
    local name = acme("", 'users = { path = "/people", items = "", paging = { type = "none" } }')
    local output, errors, status = run { "users", "--config", name, "--format", "ndjson" }
    assert.equal("", errors)
    assert.equal(0, status)
    check.same({ { id = 1, mfa = true, source = "acme", provider = "acme" },
      { id = 2, source = "acme", provider = "acme" }, { id = 3, name = "a", source = "acme", provider = "acme" } },
      cli.decoded(output))
    for _, line in ipairs(command.lines(output)) do
      for _, key in ipairs { "source", "provider", "id", "name", "mfa" } do
        local letters = line:gsub("\\u00(%x%x)", function(hex)
          return string.char(tonumber(hex, 16))
        end)
        assert.is_true(select(2, letters:gsub(('"%s":'):format(key), "")) <= 1, line)
      end
    end
  end)
end)

describe("what a user is known by", function()
  it("is what the provider declares, whatever the user's own field of the name is", function()
    local users = {
      [[{"uid":"u1","id":"tenant","list":[],"n":9007199254740993,"email":null,"mail":"a@x","name":{"full":"A"}}]],
      [[{"uid":"u2","id":null,"account_id":7,"mail":"b@x"}]] }
    server:script { ["/people"] = { { body = "[" .. table.concat(users, ",") .. "]" } } }
    local name = acme("", [[users = { path = "/people", items = "", paging = { type = "none" },
      fields = { id = "/uid", email = "/mail", name = "/name/full" } }]])
    local output, errors, status = run { "users", "--config", name, "--format", "ndjson" }
    assert.equal("", errors)
    assert.equal(0, status)
    local first, second = output:match "^([^\n]*)\n([^\n]*)\n$"
    assert.equal('{"source":"acme","provider":"acme","id":"u1","email":"a@x","list":[],"mail":"a@x",'
      .. '"n":9007199254740993,"name":{"full":"A"},"uid":"u1"}', first)
    assert.equal('{"source":"acme","provider":"acme","id":"u2","email":"b@x","account_id":7,"mail":"b@x","uid":"u2"}',
      second)
    server:script { ["/people"] = { { body = '[{"id":"u1","account_id":7,"org":"o1"}]' } } }
    name = acme("", [[users = { path = "/people", items = "", paging = { type = "none" },
      fields = { account_id = "/org" } }]])
    assert.equal('{"source":"acme","provider":"acme","id":"u1","account_id":"o1","org":"o1"}\n',
      (run { "users", "--config", name, "--format", "ndjson" }))
  end)
end)

describe("--filter", function()
  local function declared(filters)
    return ('users = { path = "/people", items = "", paging = { type = "none" }, filters = { %s } }'):format(filters)
  end
  local all = declared [[
    own = { query = "own" },
    deleted = { query = "deleted", format = "boolean" },
    level = { query = "level", format = "integer", min = -1, max = 9 },
    grade = { query = "grade", format = "integer", enum = { 1, 2 } },
    team = { query = "team", list = "repeat" },
    floor = { query = "floor", format = "integer", list = "comma" } ]]

  it("is what the filter takes: a text, a number, true or false, a list", function()
    server:script { ["/people"] = { { body = '[{"id":1}]' } } }
    local name = acme("", all)
    for query, filters in pairs {
      ["own=true"] = { "own=true" },
      ["deleted=true"] = { "deleted=true" },
      ["deleted=false"] = { "deleted=false" },
      ["level=-1"] = { "level=-1" },
      ["grade=2"] = { "grade=2" },
      ["team=a"] = { "team=a" },
      ["team=a&team=b"] = { "team=a", "team=b" },
      ["floor=3%2C4"] = { "floor=3", "floor=4" },
    } do
      local arguments = { "users", "--config", name, "--format", "ndjson" }
      for _, filter in ipairs(filters) do
        arguments[#arguments + 1], arguments[#arguments + 2] = "--filter", filter
      end
      local errors, status = complaints(arguments)
      assert.equal("", errors)
      assert.equal(0, status)
      local requests = server:requests()
      assert.equal("/people?" .. query, (requests[#requests].target:gsub(",", "%%2C")))
    end
  end)

  it("is refused where it is not", function()
    server:script {}
    local name = acme("", all)
    for problem, filters in pairs {
      ['deleted: expected boolean, got "yes"'] = { "deleted=yes" },
      ['level: expected a whole number from -1 to 9, got "1.5"'] = { "level=1.5" },
      ["level: expected a whole number from -1 to 9, got 10"] = { "level=10" },
      ["grade: 3 is none of 1, 2"] = { "grade=3" },
      ["--filter own was given 2 times, and acme takes one value of it"] = { "own=a", "own=b" },
      ['floor.2: expected a whole number, got "x"'] = { "floor=3", "floor=x" },
    } do
      local arguments = { "users", "--config", name }
      for _, filter in ipairs(filters) do
        arguments[#arguments + 1], arguments[#arguments + 2] = "--filter", filter
      end
      local errors, status = complaints(arguments)
      assert.equal(2, status)
      check.contains(errors, problem)
    end
    local errors, status = complaints { "users", "--config", name, "--filter", "organization_id=a",
      "--organization-id", "b" }
    assert.equal("rollcall: --filter organization_id and --organization-id are the same; give one of them\n", errors)
    assert.equal(2, status)
    assert.equal(0, #server:requests())
  end)
end)

describe("a list of what a provider calls its accounts", function()
  local declared = [[
    options = {
      region = { pattern = { "^%l+$" }, expected = "a region", required = true },
      tenant = { pattern = { "^%l+$" }, expected = "a tenant", list = "tenants", required = true },
    },
    users = { path = "/{region}/{tenant}/people", items = "", paging = { type = "none" } } ]]

  it("is tried one by one, and shown", function()
    local good, bad = { body = '[{"id":1}]' }, { status = 403, body = "{}" }
    server:script { ["/"] = { { body = "" } }, ["/eu/first/people"] = { good }, ["/eu/second/people"] = { bad } }
    local name = acme('region = "eu", tenants = { "first", "second" },', declared)
    local output, errors, status = run { "check", "--config", name }
    assert.equal("", errors)
    assert.equal(3, status)
    check.contains(output, "acme: first: Users: can be read.\n", "acme: NOT WELL: second: Users: ")
    check.contains((run { "sources", "--config", name }), "\n  accounts     eu, first, second\n")
    name = acme('region = "eu", tenant = "first",', declared)
    check.contains((run { "sources", "--config", name, "--format", "ndjson" }), '"accounts":["eu","first"]')
  end)

  it("is GitHub's organizations, too", function()
    server:script { ["/"] = { { body = "" } }, ["/orgs/first/members"] = { { body = '[{"id":1,"login":"a"}]' } },
      ["/orgs/second/members"] = { { status = 404, body = "{}" } } }
    local name = cli.configuration(([[return { sources = { github = { base_url = %q, token = "hunter22-token",
      orgs = { "first", "second" } } } }]]):format(server.url))
    local output, _, status = run { "check", "--config", name }
    assert.equal(3, status)
    check.contains(output, "github: first: Users: can be read.\n", "github: NOT WELL: second: Users: ")
    check.contains((run { "sources", "--config", name }), "\n  accounts     first, second\n")
  end)

  it("share the limits of their source, which are told once", function()
    server:script { ["/orgs/first/members"] = { { body = '[{"id":1,"login":"a"}]' } },
      ["/orgs/second/members"] = { { body = '[{"id":2,"login":"b"}]' } },
      ["/orgs/third/members"] = { { body = '[{"id":3,"login":"c"}]' } } }
    local name = cli.configuration(([[return { sources = { github = { base_url = %q, token = "hunter22-token",
      orgs = { "first", "second", "third" }, query = { max_requests = 1 } } } }]]):format(server.url))
    local errors, status = complaints { "users", "--config", name }
    assert.equal(3, status)
    assert.equal(1, select(2, errors:gsub("1 requests are used up", "")), errors)
  end)
end)

describe("rollcall check", function()
  it("shows nothing of a server's words that a terminal would obey", function()
    server:script { ["/"] = { { body = "" } },
      ["/people"] = { { status = 400, body = '{"message":"no\194\155 \226\128\174such thing"}' } } }
    local name = acme("", 'users = { path = "/people", items = "", paging = { type = "none" } }')
    local output = run { "check", "--config", name }
    check.contains(output, "no   such thing")
  end)

  it("has a hint for what the server says where it answers 200 without users, or 400", function()
    local name = acme("", 'users = { path = "/people", items = "/data", paging = { type = "none" } }')
    local CREDENTIALS = "It speaks of credentials: check the client id and secret of this source, or its token"
    for body, case in pairs {
      ['{"message":"no plan"}'] = { "the server says: no plan", "look at the account", false },
      ['{"error":"expired Token"}'] = { "the server says: expired Token", "look at the account", true },
      ['{"nextToken":"x"}'] = { "expected an array", "look at the account", false },
      ['{"data":[1]}'] = { "Users: decode: ", "look at base_url", false },
    } do
      server:script { ["/"] = { { body = "" } }, ["/people"] = { { body = body } } }
      local output, _, status = run { "check", "--config", name }
      assert.equal(3, status)
      check.contains(output, "acme: NOT WELL: Users: ", case[1], case[2])
      assert.equal(case[3], output:find(CREDENTIALS, 1, true) ~= nil, output)
    end
    for body, is_hinted in pairs { ['{"message":"no plan"}'] = false, ['{"code":"E1","why":"Unauthorized"}'] = true } do
      server:script { ["/"] = { { body = "" } }, ["/people"] = { { status = 400, body = body } } }
      local output = run { "check", "--config", name }
      check.contains(output, "Check the source's base_url, account and filters")
      assert.equal(is_hinted, output:find(CREDENTIALS, 1, true) ~= nil, output)
    end
    server:script { ["/"] = { { body = "" } },
      ["/people"] = { { status = 400, headers = { "X-Request-Id: r-17" }, body = "{}" } } }
    check.contains((run { "check", "--config", name }), "filters; the provider's support knows the request id")
  end)

  it("goes to this machine without a proxy, as the walk does", function()
    server:script { ["/"] = { { body = "" } }, ["/people"] = { { body = '[{"id":1}]' } } }
    local name = acme("", 'users = { path = "/people", items = "", paging = { type = "none" } }')
    local output, _, status = run({ "check", "--config", name }, { http_proxy = "http://127.0.0.1:1" })
    check.contains(output, "acme: Users: can be read.\n")
    assert.equal(0, status)
  end)
end)

describe("role_names that are no list", function()
  it("are what they are, for review and for lines of JSON", function()
    server:script { ["/people"] = { { body = '[{"id":1,"role_names":"admin"},{"id":2,"role_names":true}]' } } }
    local name = acme("", 'users = { path = "/people", items = "", paging = { type = "none" } }')
    local output, errors, status = run { "review", "--config", name, "--format", "csv" }
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal("1", output:match "\nacme,2,.*,(%d+),true\r?\n")
    name = acme("", 'users = { path = "/people", items = "", paging = { type = "none" }, '
      .. 'fields = { role_names = "/own" } }')
    server:script { ["/people"] = { { body = '[{"id":1,"own":true}]' } } }
    output, errors = run { "users", "--config", name, "--format", "ndjson" }
    assert.equal("", errors)
    check.contains(output, '"role_names":true')
  end)
end)

describe("a field that nobody has", function()
  local PEOPLE = 'users = { path = "/people", items = "", paging = { type = "none" }, fields = { name = "/called" } }'
  local name
  before_each(function()
    name = acme("", PEOPLE)
    server:script { ["/people"] = { { body = '[{"id":1,"called":"Ada","roles":["x"]},{"id":2,"called":"Bo"}]' } } }
  end)

  it("is named behind the list, or where one was looked for", function()
    local _, errors, status = run { "users", "--config", name, "--where", "role_name=Owner", "--format", "csv" }
    assert.equal(1, status)
    assert.equal("rollcall: no user of acme has anything in the field role_name; did you mean role_names?\n"
      .. "rollcall: nobody was found\n", errors)
    assert.equal(errors, (complaints { "users", "--config", name, "--where", "role_name=Owner", "--format", "csv",
      "--fields", "id,role_name" }))
    local output
    output, errors, status = run { "users", "--config", name, "--fields", "emial,id,roles", "--format", "csv" }
    assert.equal(0, status)
    assert.equal("emial,id,roles\r\n,1,x\r\n,2,\r\n", output)
    assert.equal("rollcall: no user of acme has anything in the field emial; did you mean email?\n", errors)
    errors = complaints { "users", "--config", name, "--fields", "emial", "--limit", "1" }
    assert.equal("", errors) -- the next one may have it
    errors = complaints { "users", "--config", name, "--where", "last_seen_at<90d", "--quiet" }
    assert.equal("", errors)
    assert.equal("", (complaints { "users", "--config", name, "--where", "locked_at=" })) -- as was asked for
    server:script { ["/people"] = { { body = '[{"id":1},{"id":2', cut = 10 }, { status = 400, body = "no" } } }
    errors, status = complaints { "users", "--config", name, "--fields", "id,phone" }
    assert.equal(3, status)
    assert.is_nil(errors:find("phone", 1, true), errors) -- who did not come may have one
  end)

  it("is no email that could be compared", function()
    local errors, status = complaints { "find", "ada@acme.example", "--config", name }
    assert.equal(3, status)
    assert.equal("rollcall: acme says nothing of emails: 2 users could not be compared; look for a name\n", errors)
    local lists = cli.configuration(([[local own = function(path) return { name = "acme",
      base_url = { production = "https://acme.example" },
      users = { path = path, items = "", paging = { type = "none" } } } end
    local url = %q
    return { sources = { acme = { base_url = url, token = "hunter22-token", provider = own "/people" },
      other = { base_url = url, token = "hunter22-token", provider = own "/other" } } }]]):format(server.url))
    server:script { ["/people"] = { { body = '[{"id":1},{"id":2}]' } },
      ["/other"] = { { body = '[{"id":3,"email":"ada@acme.example"}]' } } }
    local output
    output, errors, status = run { "find", "ada@acme.example", "--config", lists, "--format", "csv", "--fields", "id" }
    assert.equal("id\r\n3\r\n", output)
    assert.equal("rollcall: acme says nothing of emails: 2 users could not be compared; look for a name\n", errors)
    assert.equal(3, status) -- who offboards somebody is not done
    errors, status = complaints { "find", "ada@acme.example", "--config", lists, "--source", "other" }
    assert.equal("", errors)
    assert.equal(0, status)
    name = acme("", PEOPLE)
    server:script { ["/people"] = { { body = '[{"id":1,"called":"Ada"},{"id":2,"called":"Bo"}]' } } }
    errors, status = complaints { "find", "ada", "--config", name }
    assert.equal(0, status)
    assert.equal("", errors)
    errors, status = complaints { "find", "eve", "--config", name }
    assert.equal(1, status)
    check.contains(errors, "nobody was found")
  end)
end)

describe("a list of users", function()
  it("that is shorter than the server counts is told", function()
    local name = acme("", [[users = { path = "/people", items = "/data",
      paging = { type = "cursor", query = "c", next = "/next", total = "/total" } }]])
    server:script { ["/people"] = { { body = '{"data":[{"id":1},{"id":2}],"total":1234}' } } }
    local errors, status = complaints { "users", "--config", name }
    assert.equal(0, status)
    assert.equal("rollcall: acme: its server counts 1,234 users, and 2 came\n", errors)
    server:script { ["/people"] = { { body = '{"data":[{"id":1},{"id":2}],"total":2}' } } }
    assert.equal("", (complaints { "users", "--config", name }))
    server:script { ["/people"] = { { body = '{"data":[{"id":1},{"id":2}],"total":1234}' } } }
    assert.equal("", (complaints { "users", "--config", name, "--limit", "1" }))
  end)
end)

describe("a proxy that wants credentials", function()
  it("is named, and where they stand", function()
    local name = acme(("proxy = %q,"):format(server.url),
      'users = { path = "/people", items = "", paging = { type = "none" } }')
    -- What is beyond the proxy is asked for by its whole address.
    local text = command.read(name):gsub(
      "base_url = \"[^\"]*\"", 'insecure = true, base_url = "http://acme.example"', 1)
    command.write(name, text)
    server:script { ["http://acme.example/people"] = { { status = 407, body = "Proxy Authentication Required" } } }
    local errors, status = complaints { "users", "--config", name }
    assert.equal(3, status)
    check.contains(errors, "the proxy answered 407: Proxy Authentication Required", "The proxy wants credentials: they "
      .. "stand in the source's proxy option, or in https_proxy")
  end)
end)
