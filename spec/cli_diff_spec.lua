-- `rollcall diff`, as a process, against the sandbox.

local check = require "spec.support.check"
local cjson = require "cjson"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"

local run = command.run
local complaints = cli.complaints
local path = cli.path
local decoded = cli.decoded
local ORGANIZATION = cli.ORGANIZATION

setup(cli.begin)
teardown(cli.finish)
before_each(function()
  sandbox.reset()
end)

describe("rollcall diff", function()
  local old, new
  before_each(function()
    old, new = path "old.ndjson", path "new.ndjson"
    command.write(old, (run { "users", "tesouro", "--organization-id", ORGANIZATION, "--format", "ndjson" }))
  end)

  --- The new snapshot, of what `change` makes of each user (nil leaves it out), and `more` lines.
  local function make_new(change, more)
    local lines = {}
    for i, user in ipairs(decoded(command.read(old))) do
      local changed = change(user, i)
      lines[#lines + 1] = changed and cjson.encode(changed) or nil
    end
    lines[#lines + 1] = more
    command.write(new, table.concat(lines, "\n") .. "\n")
  end

  it("goes by what a snapshot of some fields has", function()
    for _, fields in ipairs { "id,email,status", "source,id,email" } do
      command.write(new, (run { "users", "tesouro", "--organization-id", ORGANIZATION, "--format", "ndjson", "--fields",
        fields }))
      local output, errors, status = run { "diff", new, old, "--format", "ndjson" }
      assert.equal("", output)
      check.contains(errors, "0 joined, 0 left, 0 changed")
      assert.equal(0, status)
    end
    check.contains(complaints { "diff", old, new }, "new.ndjson:1: a user without account_id", "--fields")
    command.write(new, '{"email":"a@b.example"}\n')
    local errors, status = complaints { "diff", old, new }
    assert.equal(2, status)
    check.contains(errors, "new.ndjson:1: a user without source", "--fields")
  end)

  it("tells who joined, left and changed, and ends with 1", function()
    local users = decoded(command.read(old))
    make_new(function(user, i)
      if i == 2 then
        return nil
      elseif i == 3 then
        user.status, user.name = "GONE", "Another Name"
      elseif i == 4 then
        user.last_seen_at, user.lastLoggedInDateTime = "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
      elseif i == 5 then
        user.account_name, user.organizationName = "Renamed", "Renamed"
      end
      return user
    end, '{"source":"tesouro","id":"new-one","email":"new@one.example","name":"=New"}')
    local output, errors, status = run { "diff", old, new, "--format", "ndjson" }
    assert.equal(1, status)
    check.contains(errors, "1 joined, 1 left, 2 changed", ("%d the same"):format(#users - 3))
    local changes = {}
    for _, change in ipairs(decoded(output)) do
      changes[change.change .. " " .. change.id] = change.fields or true
    end
    check.same({
      ["joined new-one"] = true,
      ["left " .. users[2].id] = true,
      ["changed " .. users[3].id] = { status = { old = users[3].status, new = "GONE" },
        name = { old = users[3].name, new = "Another Name" } },
      ["changed " .. users[5].id] = { account_name = { old = users[5].account_name, new = "Renamed" } },
    }, changes)
    output = run { "diff", old, new }
    check.contains(output, "CHANGE", "\n  status: " .. users[3].status .. " → GONE\n")
    output = run { "diff", old, new, "--format", "csv", "--ignore", "name,account_name,organizationName" }
    check.contains(output, "change,source,id,email,name,field,old,new\r\n", "'=New",
      (",status,%s,GONE\r\n"):format(users[3].status), ",last_seen_at,")
    assert.is_nil(output:find("Renamed", 1, true))
    errors = complaints { "diff", old, new, "--fields", "email" }
    check.contains(errors, "1 joined, 1 left, 0 changed")
  end)

  it("ends with 0 where nothing has changed, whatever the order, and reads pipes", function()
    command.shell(("{ printf '\\357\\273\\277'; sort -r %s; } >%s"):format(old, new))
    for _, line in ipairs { command.line { "diff", old, new },
      "cat " .. new .. " | " .. command.line { "diff", old, "-" },
      "cat " .. old .. " | " .. command.line { "diff", "/dev/stdin", new } } do
      local output, errors, status = command.shell(line)
      assert.equal("", output)
      assert.equal(0, status)
      check.contains(errors, "0 joined, 0 left, 0 changed")
    end
  end)

  it("compares with now", function()
    local all = run { "users", "--format", "ndjson" }
    command.write(old, all)
    local output, errors, status = run { "diff", old }
    assert.equal("", output)
    assert.equal(0, status)
    check.contains(errors, "0 joined, 0 left, 0 changed, 4,700 the same")
    local lines = command.lines(all)
    local gone = cjson.decode(table.remove(lines, 7))
    lines[1] = lines[1]:gsub('"email":%s*"[^"]*"', '"email":"old@email.example"')
    command.write(old, table.concat(lines, "\n") .. '\n{"source":"dintero","id":"not-any-more","email":"x@y"}\n')
    output, errors, status = run { "diff", old, "--format", "ndjson" }
    assert.equal(1, status)
    check.contains(errors, "1 joined, 1 left, 1 changed")
    check.contains(output, gone.id, "not-any-more", "old@email.example")
    -- Only the sources of the snapshot are asked.
    command.write(old, (run { "users", "dintero", "--format", "ndjson" }))
    errors, status = complaints { "diff", old }
    assert.equal(0, status)
    check.contains(errors, "1,200 the same")
  end)

  it("does not take those for gone whose source failed", function()
    command.write(old, (run { "users", "--format", "ndjson" })
      .. '{"source":"tesouro","account_id":"o","id":"gone"}\n{"source":"dintero","id":"who-knows"}\n')
    sandbox.plan_faults { provider = "dintero", seed = 1, chance = 1, kinds = { "html" } }
    local output, errors, status = run { "diff", old, "--format", "ndjson" }
    assert.equal(3, status)
    check.contains(output, '"gone"')
    assert.is_nil(output:find("who-knows", 1, true))
    check.contains(errors, "0 joined, 1 left (who left dintero is not known), 0 changed, 3,500 the same")
    command.write(old, '{"id":"1"}\n')
    output, errors = run { "diff", old, "--source", "dintero" }
    assert.equal("", output)
    check.contains(errors, "0 left (who left dintero is not known)")
  end)

  it("needs to know whose users they are where several sources, or accounts, have the same ids", function()
    command.write(old, (run { "users", "--format", "ndjson", "--fields", "id,email" }))
    local errors, status = complaints { "diff", old }
    assert.equal(2, status)
    check.contains(errors, "old.ndjson: its users have no source", "--fields source,account_id,id", "one --source")
    errors, status = complaints { "diff", old, "--source", "dintero" }
    assert.equal(1, status)
    check.contains(errors, " the same")
    errors, status = select(2, run({ "diff", old, "--source", "dintero" }, { SANDBOX_DINTERO_ACCOUNT = "T123,P321" }))
    assert.equal(2, status)
    check.contains(errors, "its users have no account_id")
  end)

  it("tells where nobody of a whole source is in the new one", function()
    command.write(old, '{"source":"a","id":"1"}\n{"source":"b","id":"1"}\n')
    command.write(new, '{"source":"b","id":"1"}\n')
    local errors, status = complaints { "diff", old, new }
    assert.equal(1, status)
    check.contains(errors, "new.ndjson: nobody of a is in it, as if all had left; was its walk whole?", "1 left,")
  end)

  it("knows by email who has no id, also beside a source whose users have one", function()
    command.write(old, '\239\187\191{"source":"tesouro","id":"1","email":"x@own"}\n'
      .. '{"source":"own","email":"y@own","status":"on"}\n{"source":"own","email":"z@own"}\n')
    local errors, status = complaints { "diff", old, old }
    assert.equal(0, status)
    check.contains(errors, "0 joined, 0 left, 0 changed, 3 the same")
    command.write(new, '{"source":"own","email":"y@own","status":"off"}\n{"source":"tesouro","id":"1","email":"x"}\n')
    local output = run { "diff", old, new, "--format", "csv" }
    assert.equal("change,source,id,email,name,field,old,new\r\nchanged,own,,y@own,,status,on,off\r\n"
      .. "changed,tesouro,1,x,,email,x@own,x\r\nleft,own,,z@own,,,,\r\n", output)
  end)

  it("tells numbers apart that no double can, and keeps the order of those who left", function()
    local lines = {}
    for i, id in ipairs { "9007199254740993", "9007199254740992", "12345678901234567890", "7" } do
      lines[i] = ('{"source":"own","id":%s,"email":"%d@own"}\n'):format(id, i)
    end
    command.write(old, table.concat(lines))
    local errors, status = complaints { "diff", old, old }
    assert.equal(0, status)
    check.contains(errors, "4 the same")
    command.write(new, lines[2])
    local expected = "change,source,id,email,name,field,old,new\r\nleft,own,9007199254740993,1@own,,,,\r\n"
      .. "left,own,12345678901234567890,3@own,,,,\r\nleft,own,7,4@own,,,,\r\n"
    local line = command.line { "diff", old, new, "--format", "csv" }
    assert.equal(expected, (command.shell(line)))
    assert.equal("", (run { "diff", old, old, "--format", "ndjson" }))
    line = command.line { "diff", "-", new, "--format", "csv" }
    assert.equal(expected, (command.shell("cat " .. old .. " | " .. line)))
  end)

  it("takes a number as one however it is spelt, and writes it as one", function()
    command.write(old, '{"source":"own","id":1000,"name":"a"}\n{"source":"own","id":-5}\n')
    command.write(new, '{"source":"own","id":1e3,"name":"b"}\n')
    check.contains((run { "diff", old, new, "--format", "ndjson" }), '"id":1000,', '"id":-5,')
    check.contains((run { "diff", old, new, "--format", "csv" }), ",-5,")
  end)

  it("writes whole lines where stderr goes to the same file", function()
    local lines = {}
    for i = 1, 4000 do
      lines[i] = ('{"source":"own","id":"%d"}\n'):format(i)
    end
    command.write(old, '{"source":"own","account_id":"a","id":"0"}\n')
    command.write(new, table.concat(lines))
    command.shell(("%s >%s 2>&1"):format(command.line { "diff", old, new, "--format", "ndjson" }, path "both"))
    local count = 0
    for line in io.lines(path "both") do
      assert.truthy(line:find "^{.*}$" or line:find "^rollcall: ", line)
      count = count + 1
    end
    assert.equal(4001 + 2, count)
  end)

  it("ignores fields however they are spelt, and parts of them", function()
    command.write(old, '{"source":"own","id":"1","status":"on","department":{"name":"a","size":1},"a.b":1,"x/y":3,'
      .. '"tags":["p","q"],"roles":[{"name":"r"}]}\n')
    command.write(new, '{"source":"own","id":"1","status":"off","department":{"name":"b","size":2},"a.b":2,"x/y":4,'
      .. '"tags":["p","z"],"roles":[{"name":"s"}]}\n')
    local function changed(...)
      local fields = {}
      for _, one in ipairs(decoded((run { "diff", old, new, "--format", "ndjson", ... }))) do
        for name, values in pairs(one.fields) do
          fields[name] = cjson.encode(values.new)
        end
      end
      return fields
    end
    local all = { status = '"off"', department = true, ["a.b"] = "2", ["x/y"] = "4", tags = '["p","z"]',
      roles = '[{"name":"s"}]' }
    local got = changed()
    all.department = got.department -- in some order
    check.same(all, got)
    check.same({ department = '{"size":2}', roles = all.roles }, changed("--ignore",
      "/status,department.name,department.nothing,a.b,/x~1y,/tags/1"))
    check.same({ ["x/y"] = "4" }, changed("--ignore",
      "status, /department/name ,department.size,/a.b,tags,/roles/0/name,/nothing/there"))
    check.same({}, changed("--fields", "/status,department.name", "--ignore", "status,/department/name"))
    check.same({ department = '{"size":2}' }, changed("--fields", "department,status", "--ignore",
      "department.name,/status"))
    local errors, status = complaints { "diff", old, new, "--ignore", "staus" }
    assert.equal(2, status)
    check.contains(errors, "--ignore: users of the snapshot have no field staus; did you mean status?")
    for _, user in ipairs { '{"id":"1"}', '{"email":"ada@acme.example"}' } do -- common fields every snapshot may have
      command.write(old, user .. "\n")
      errors, status = complaints { "diff", old, old, "--ignore", "id,email,name,status,role_names,mfa,created_at,"
        .. "updated_at,last_seen_at,account_id,account_name" }
      assert.equal("rollcall: 0 joined, 0 left, 0 changed, 1 the same\n", errors)
      assert.equal(0, status)
    end
  end)

  it("names the line of a snapshot that is none", function()
    local _, errors, status = run { "diff", path "nowhere", old }
    assert.equal(2, status)
    check.contains(errors, "nowhere", "No such file")
    command.write(new, '{"source":"tesouro","account_id":"x","id":"a"}\n\nid,email\n')
    errors, status = complaints { "diff", old, new }
    assert.equal(2, status)
    check.contains(errors, "new.ndjson:3: ", "rollcall users --format ndjson")
    command.write(new, '{"name":"a"}\n')
    errors, status = complaints { "diff", new, old }
    assert.equal(2, status)
    check.contains(errors, "new.ndjson:1: ", "without id and email")
    command.write(old, '{"id":"1","source":5}\n')
    errors, status = complaints { "diff", old, path() }
    assert.equal(2, status)
    check.contains(errors, "cannot read the snapshot " .. path() .. ": Is a directory")
    errors, status = complaints { "diff", old, old, "--format", "ndjson", "--formulas" }
    assert.equal(2, status)
    assert.equal("rollcall: --formulas is for --format csv\n", errors)
    for _, option in ipairs { "--fields", "--ignore" } do
      errors, status = complaints { "diff", old, old, option, "nope" }
      assert.equal(2, status)
      check.contains(errors, option .. ": users of the snapshot have no field nope; they have account_id, ")
      check.contains(complaints { "diff", old, old, option, ("/a"):rep(17) }, "no field's name (at most 16 steps)")
      _, status = complaints { "diff", old, old, option, "/nope,email" }
      assert.equal(0, status)
    end
    local _, told = complaints { "diff", old } -- whose source is no name: as if it had none
    assert.equal(1, told)
  end)

  --- Compares two snapshots of these lines.
  local function compare(before, after, ...)
    command.write(old, table.concat(before, "\n") .. "\n")
    command.write(new, table.concat(after, "\n") .. "\n")
    local output, errors, status = run { "diff", old, new, "--format", "ndjson", ... }
    local fields = {}
    for _, change in ipairs(decoded(output)) do
      fields[change.change .. " " .. change.id] = change.fields or true
    end
    return fields, errors, status, output
  end

  it("tells every field, also where several change alike", function()
    local before, after =
      '{"source":"s","id":"1","mfa":false,"isAdmin":false,"isApprover":false,"updated_at":"T1","at":"T1"}',
      '{"source":"s","id":"1","mfa":true,"isAdmin":true,"isApprover":true,"updated_at":"T2","at":"T2"}'
    local both = { old = false, new = true }
    local at = { old = "T1", new = "T2" }
    check.same({ ["changed 1"] = { mfa = both, isAdmin = both, isApprover = both, at = at } },
      (compare({ before }, { after })))
    check.same({ ["changed 1"] = { isAdmin = both, isApprover = both } },
      (compare({ before }, { after }, "--fields", "isAdmin,isApprover")))
    check.same({ ["changed 1"] = { isAdmin = both, isApprover = both, at = at } },
      (compare({ before }, { after }, "--ignore", "mfa,updated_at")))
  end)

  it("knows a provider's own name for a common field by its declaration", function()
    local line = '{"source":%q,"id":"1","provider":%q,"updated_at":%q,"%s":%q}'
    local function one(source, provider, at, own)
      return { line:format(source, provider, at, own, at) }
    end
    check.same({}, (compare(one("mine", "okta", "T1", "lastUpdated"), one("mine", "okta", "T2", "lastUpdated"))))
    local seen = { old = "T1", new = "T2" }
    check.same({ ["changed 1"] = { lastUpdated = seen } },
      (compare(one("mine", "own", "T1", "lastUpdated"), one("mine", "own", "T2", "lastUpdated"))))
    local name = cli.configuration [[return { sources = { mine = { token = "hunter22-token", provider = { name = "own",
      base_url = { production = "https://own.example" }, users = { path = "/u", items = "", paging = { type = "none" },
      fields = { updated_at = { first = { "/modified", "/made" } } } } } } } }]]
    check.same({}, (compare(one("mine", "own", "T1", "made"), one("mine", "own", "T2", "made"), "--config", name)))
    check.same({ ["changed 1"] = { made = seen } }, (compare(one("mine", "own", "T1", "made"),
      one("mine", "own", "T2", "made"), "--config", name, "--fields", "made")))
  end)

  it("says where a snapshot may be of no whole walk", function()
    local a1, a2, b = '{"source":"a","account_id":"P1","id":"1"}', '{"source":"a","account_id":"P2","id":"2"}',
      '{"source":"b","id":"3"}'
    local fields, errors, status = compare({ a1, a2, b }, { a1 })
    check.same({ ["left 2"] = true, ["left 3"] = true }, fields)
    check.contains(errors, new .. ": nobody of b, a P2 is in it, as if all had left; was its walk whole?")
    assert.equal(1, status)
    errors = select(2, compare({ a1 }, { a1, a2, b }))
    check.contains(errors, old .. ": nobody of b, a P2 is in it, as if all had joined; was its walk whole?")
    errors = select(2, compare({}, { a1 }))
    check.contains(errors, old .. ": nobody of a is in it, as if all had joined")
    errors = select(2, compare({ a1, a2 }, { a2, a1 }))
    assert.equal("rollcall: 0 joined, 0 left, 0 changed, 2 the same\n", errors)
  end)

  it("says which sources are not compared with now", function()
    command.write(old, (run { "users", "dintero", "--format", "ndjson" }))
    local _, errors, status = run { "diff", old }
    check.contains(errors, "tesouro is not compared: nobody of it is in " .. old, "0 joined, 0 left, 0 changed")
    assert.equal(0, status)
    errors = select(2, run { "diff", old, "--source", "dintero" })
    assert.is_nil(errors:find("not compared", 1, true))
    command.write(old, (run { "users", "--format", "ndjson" }))
    errors, status = complaints { "diff", old, "--source", "dintero" }
    assert.equal("rollcall: 0 joined, 0 left, 0 changed, 1,200 the same\n", errors)
    assert.equal(0, status)
  end)

  it("does not take those for gone whom a limit of the configuration leaves out", function()
    local server = require("spec.support.server").start()
    finally(function() server:stop() end)
    server:script { ["/u"] = { { body = '[{"id":"1"},{"id":"2"},{"id":"3"}]' } } }
    local name = cli.configuration(([[return { sources = { mine = { token = "hunter22-token", base_url = %q,
      query = { limit = 2 }, provider = { name = "own", base_url = { production = "https://own.example" },
      users = { path = "/u", items = "", paging = { type = "none" } } } } } }]]):format(server.url))
    command.write(old, '{"source":"mine","id":"1"}\n{"source":"mine","id":"3"}\n')
    local output, errors, status = run { "diff", old, "--config", name, "--format", "ndjson" }
    assert.is_nil(output:find("left", 1, true))
    check.contains(errors, "0 left (who left mine is not known)")
    assert.equal(3, status)
    output = run { "review", "--config", name }
    check.contains(output, "mine (incomplete)")
    errors, status = complaints { "find", "3", "--config", name }
    assert.equal("rollcall: mine: a limit of its configuration was reached: not all of its users were looked at\n",
      errors)
    assert.equal(3, status)
    status = select(2, complaints { "find", "3", "--config", name, "--limit", "5" })
    assert.equal(3, status)
    output = run { "users", "--config", name, "--limit", "3", "--format", "csv", "--fields", "id" }
    assert.equal("id\r\n1\r\n2\r\n", output) -- the smaller one
  end)

  it("compares the first of two who are known by the same", function()
    local a, b = '{"source":"s","email":"a@x","name":"A"}', '{"source":"s","email":"a@x","name":"B"}'
    command.write(old, a .. "\n" .. b .. "\n")
    local output, errors, status = run { "diff", old, old }
    assert.equal("", output)
    check.contains(errors, old .. ": 1 line of users that it has already: the first of each is compared", "1 the same")
    assert.equal(0, status)
  end)

  it("takes fields of any name", function()
    local before, after = {}, {}
    for i, name in ipairs { "custom\\tfield", "a.b", "/a", "~1", "", "a~0/b" } do
      before[i] = ('{"source":"s","id":"%d","%s":1}'):format(i, name)
      after[i] = ('{"source":"s","id":"%d","%s":2}'):format(i, name)
    end
    local fields, errors = compare(before, after)
    check.contains(errors, "6 changed")
    check.same({ ["custom\tfield"] = { old = 1, new = 2 } }, fields["changed 1"])
    check.same({ ["a~0/b"] = { old = 1, new = 2 } }, fields["changed 6"])
  end)

  it("takes null for nothing in what users are known by", function()
    local before, after = '{"source":"s","account_id":null,"id":null,"email":"n@x"}', '{"source":"s","email":"n@x"}'
    local fields, errors, status = compare({ before }, { after })
    check.same({}, fields)
    assert.equal("rollcall: 0 joined, 0 left, 0 changed, 1 the same\n", errors)
    assert.equal(0, status)
  end)

  it("tells numbers apart that no double does", function()
    local line = '{"source":"s","id":"1","n":%s,"m":%s}'
    local fields = compare({ line:format("9007199254740993", "1") }, { line:format("9007199254740992", "1.0") })
    check.same({ ["changed 1"] = { n = { old = "9007199254740993", new = "9007199254740992" } } }, fields)
    fields = compare({ line:format('{"of":[1,9007199254740993]}', "1") }, { line:format('{"of":[1,9007199254740992]}',
      "1") })
    check.same({ n = { old = { of = { 1, "9007199254740993" } }, new = { of = { 1, "9007199254740992" } } } },
      fields["changed 1"])
    local deep = ('{"n":'):rep(20) .. "%s" .. ("}"):rep(20)
    check.same({}, (compare({ line:format(deep:format "9007199254740993", "1") },
      { line:format(deep:format "9007199254740993", "1") })))
    local many = "123456789012345678901"
    check.same({}, (compare({ line:format(many, "1") }, { line:format(many, "1.0") })))
  end)

  it("tells of a list that was emptied as a list", function()
    local before, after = '{"source":"s","id":"1","l":[1,2],"o":{"a":1}}', '{"source":"s","id":"1","l":[],"o":{}}'
    check.contains(select(4, compare({ before }, { after })), '"l":{"old":[1,2],"new":[]}',
      '"o":{"old":{"a":1},"new":{}}')
    check.contains(select(4, compare({ after }, { before })), '"l":{"old":[],"new":[1,2]}')
  end)
end)
