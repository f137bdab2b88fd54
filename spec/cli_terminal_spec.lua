-- What `rollcall` shows on a terminal.

local check = require "spec.support.check"
local cjson = require "cjson"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"
local terminal = require "spec.support.terminal"

local path = cli.path

setup(cli.begin)
teardown(cli.finish)

describe("on a terminal", function()
  if not terminal.is_there() then
    pending "this machine gives no pseudo terminals"
    return
  end

  local one ---@type table the one that is open

  local function open(line, size)
    one = terminal.open(line, size)
    return one
  end

  --- The lines that it shows, but for empty ones at its end.
  local function lines_of(screen)
    return command.lines((screen:gsub("\n+$", "\n")))
  end

  before_each(function()
    sandbox.reset()
  end)
  after_each(function()
    if one then
      one:close()
    end
  end)

  it("progress is one line, which is gone when the table comes", function()
    sandbox.reset "delay_ms=60"
    open(command.line { "review" })
    local shown = one:await "tesouro [%d,]+ users, %d+ pages"
    assert.equal(1, #lines_of(shown))
    check.contains(shown, "dintero ", " | ", "/s")
    local lines = lines_of(one:await "%[ended 0%]")
    assert.equal(5, #lines)
    assert.truthy(lines[1]:find "^SOURCE +USERS")
    assert.truthy(lines[4]:find "^total +4,700")
  end)

  it("progress is shown beside an output that goes elsewhere, and not with --quiet", function()
    sandbox.reset "delay_ms=60"
    open(command.line { "users", "tesouro", "--format", "csv" } .. " >" .. path "out.csv")
    one:await "^[%d,]+/s[^\n]* | tesouro [%d,]+ users?, %d+ pages?"
    assert.same({ "[ended 0]" }, lines_of(one:await "%[ended 0%]"))
    one:close()
    open(command.line { "users", "tesouro", "--format", "csv", "--quiet" } .. " >" .. path "out.csv")
    local shown
    repeat
      shown = one:screen()
      assert.is_nil(shown:find "users")
      os.execute "sleep 0.05"
    until shown:find "%[ended 0%]"
  end)

  it("progress says how long is waited, and was", function()
    sandbox.plan_faults { provider = "tesouro", script = { { kind = "rate_limit", wait = 3 } } }
    open(command.line { "users", "tesouro", "--format", "csv" } .. " >" .. path "out.csv")
    one:await "^0/s, waiting %d s | tesouro 0 users"
    one:await "^[%d,]+/s | tesouro [%d,]+ users, %d+ pages?, waited 3 s\n"
  end)

  it("progress is shown until the first row is written", function()
    local PROGRESS = "tesouro [%d,]+ users?, %d+ pages?"
    for _, arguments in ipairs { { "find", "nobody@nowhere.example" }, { "users", "tesouro", "--where", "name=nobody" },
      { "review", "tesouro", "--list", "never-came" } } do
      sandbox.reset "delay_ms=60"
      open(command.line(arguments))
      assert.equal(1, #lines_of(one:await(PROGRESS)))
      one:close()
    end
    sandbox.reset "delay_ms=60"
    open(command.line { "users", "tesouro" })
    one:await(PROGRESS)
    local shown = one:await "@"
    repeat
      assert.is_nil(shown:find(PROGRESS))
      shown = one:screen()
    until shown:find "%[ended 0%]"
    one:close()
    sandbox.reset "delay_ms=60"
    open(command.line { "users", "tesouro", "--limit", "700" }, { lines = 800 })
    assert.truthy(one:await("%[ended 0%]"):find "^EMAIL")
  end)

  it("what is written stands before what is said of it", function()
    command.write(path "old", '{"source":"own","id":"1","name":"a"}\n{"source":"own","id":"2","name":"b"}\n')
    command.write(path "new", '{"source":"own","id":"1","name":"c"}\n')
    open(command.line { "diff", path "old", path "new", "--format", "csv" })
    local lines = lines_of(one:await "%[ended 1%]")
    assert.equal(5, #lines)
    check.contains(lines[3], "left,own,2")
    check.contains(lines[4], "rollcall: 0 joined, 1 left, 1 changed")
    one:close()
    for format, last in pairs { table = "@", csv = "@", json = "^%]$" } do
      sandbox.reset "delay_ms=300"
      open("trap : INT; " .. command.line { "users", "tesouro", "--page-size", "3", "--limit", "50", "--format", format,
        "--fields", "email" })
      command.await(function()
        return sandbox.stats().tesouro.user_requests > 2
      end)
      one:type "C-c"
      lines = lines_of(one:await "%[ended 130%]")
      local said
      for i, line in ipairs(lines) do
        said = said or line:find("rollcall: interrupted after ", 1, true) and i
      end
      assert.truthy(said and said > 1 and lines[said - 1]:find(last), table.concat(lines, "\n"))
      assert.is_nil(table.concat(lines, "\n", said):find "@")
      one:close()
    end
  end)

  it("an array ends once, behind what is said of a source that fails", function()
    local server = require("spec.support.server").start()
    finally(function()
      one:close() -- it has inherited the server's pipe
      server:stop()
    end)
    server:script { ["/api/v1/users"] = { { body = '[{"id":"1"}]',
      headers = { ("Link: <%s/api/v1/users?after=1>; rel=next"):format(server.url) } } },
      ["/api/v1/users?after=1"] = { { status = 400, body = "{}" } } }
    local config = cli.configuration(([[return { sources = { okta = { base_url = %q, token = "hunter22-token" } } }]])
      :format(server.url))
    open(command.line { "users", "--format", "json", "--fields", "id", "--config", config })
    local shown = one:await "%[ended 3%]"
    assert.truthy(shown:find("rollcall: okta: http: .*\n%[\n{\"id\":\"1\"}\n%]\n"), shown)
    assert.equal(1, select(2, shown:gsub("\n%]\n", "")), shown)
  end)

  it("nothing that users wrote is obeyed by it, and files have it as it is", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    local WRITTEN = "x\27[2jy\194\1552jz\n\r\226\128\174w"
    server:script { ["/api/v1/users"] = { { body = cjson.encode { { id = "1", status = WRITTEN } } } } }
    local config = cli.configuration(([[return { sources = { okta = { base_url = %q, token = "hunter22-token" } } }]])
      :format(server.url))
    for _, arguments in ipairs { { "review" }, { "review", "--format", "markdown" }, { "review", "--format", "csv" },
      { "users", "--format", "csv", "--fields", "id,status" }, { "users", "--fields", "id,status" },
      { "users", "--format", "ndjson" }, { "users", "--format", "json", "--fields", "id,status" } } do
      arguments[#arguments + 1] = "--config"
      arguments[#arguments + 1] = config
      local line = command.line(arguments, { NO_COLOR = "1" })
      local shown = command.shell(("script -qec %s /dev/null"):format(command.quote(line)))
      check.contains(shown, "[2jy")
      assert.is_nil(shown:gsub("\r?\r\n", ""):find "%c")
      assert.is_nil(shown:find "\194[\128-\159]")
    end
    local file = command.run { "users", "--format", "csv", "--fields", "status", "--config", config }
    assert.equal('status\r\n"' .. WRITTEN .. '"\r\n', file)
  end)

  it("a table fits its columns, and NO_COLOR takes the bold away", function()
    open(command.line({ "users", "tesouro", "--limit", "9" }, { NO_COLOR = "1" })
      .. "; " .. command.line { "users", "tesouro", "--limit", "1" })
    one:await "%[ended 0%]"
    local lines = command.lines(one:screen(true))
    assert.truthy(lines[1]:find "^EMAIL", lines[1])
    local bold
    for i = 2, #lines do
      bold = bold or lines[i]:find "\27%[1mEMAIL" and i - 1
    end
    assert.equal(10, bold)
  end)

  it("an email of a difference is shown whole where a name is not", function()
    local email, name = ("e"):rep(40) .. "@x.example", ("n"):rep(60)
    command.write(path "old.ndjson", "")
    command.write(path "new.ndjson", ('{"id":"1","email":"%s","name":"%s"}\n'):format(email, name))
    local shown = open(command.line { "diff", path "old.ndjson", path "new.ndjson" }):await "%[ended 1%]"
    check.contains(shown, " " .. email .. " ", " nnn")
    assert.is_nil(shown:find(name, 1, true))
  end)
end)
