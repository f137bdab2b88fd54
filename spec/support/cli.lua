-- What the specs of the command share: a directory of their own, configurations, and the users that are to come.

local cjson = require "cjson"

local check = require "spec.support.check"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"

local cli = {}

cli.ORGANIZATION = "7e500000-0000-4000-8000-000000000009"
cli.tesouro = sandbox.data.tesouro.users { status = "ALL" }
cli.dintero = sandbox.data.dintero.users("T12345678", { expand_roles = true })

--- What a configuration has of a client of the sandbox.
cli.CREDENTIALS = 'client_id = { env = "SANDBOX_CLIENT_ID" }, client_secret = { env = "SANDBOX_CLIENT_SECRET" }'

local directory

--- For `setup`.
function cli.begin()
  directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory))
end

--- For `teardown`.
function cli.finish()
  os.execute("rm -rf " .. directory)
  sandbox.restore()
end

--- Where the spec's own files are.
function cli.path(name)
  return name and directory .. "/" .. name or directory
end

--- What it complained of, and its status.
function cli.complaints(arguments, variables)
  return select(2, command.run(arguments, variables))
end

--- Writes a configuration that nobody else can read; answers its path.
function cli.configuration(text, mode)
  local name = cli.path "rollcall.lua"
  command.write(name, text)
  os.execute(("chmod %s %s"):format(mode or "600", name))
  return name
end

function cli.source_text(more)
  return ("return { sources = { tesouro = { base_url = %q, %s } } }"):format(sandbox.tesouro_url, more)
end

function cli.decoded(text)
  local list = {}
  for i, line in ipairs(command.lines(text)) do
    list[i] = cjson.decode(line)
  end
  return list
end

--- The ids of users, each once.
local function ids(list)
  local set = {}
  for _, user in ipairs(list) do
    assert(not set[user.id], "twice: " .. tostring(user.id))
    set[user.id] = true
  end
  return set
end

function cli.check_ids(expected, list)
  check.same(ids(expected), ids(list))
end

--- The users of both providers.
function cli.both()
  local all = {}
  for _, list in ipairs { cli.tesouro, cli.dintero } do
    for _, user in ipairs(list) do
      all[#all + 1] = user
    end
  end
  return all
end

return cli
