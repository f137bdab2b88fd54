-- How changes between snapshots are shown: a table, CSV or lines of JSON.

local core = require "rollcall.core"
local csv = require "rollcall.csv"
local listing = require "rollcall.cli.listing"
local ndjson = require "rollcall.ndjson"
local path = require "rollcall.path"
local snapshot = require "rollcall.cli.snapshot"
local tables = require "rollcall.cli.table"

--- By format, what makes a function that shows a change, and one that ends the table.
---@alias rollcall.cli.Show fun(change: "joined"|"left"|"changed", user: table, differences: rollcall.cli.Difference[]?)
---@type table<string, fun(session: rollcall.cli.Session): (rollcall.cli.Show, fun()?)>
local changes = {}

local text_of = snapshot.text_of

local function text_shown(value)
  return value == nil and "-" or csv.text(value)
end

function changes.table(session)
  local rows = tables.new({ "CHANGE", "SOURCE", "EMAIL", "NAME" }, function(line)
    session.output:write(line)
  end, { columns = session:columns(), bold = session:is_bold(), widest = 60, last = { [3] = true } })
  local is_empty = true
  function session.is_waiting()
    return rows:is_waiting()
  end
  return function(change, user, differences)
    local parts = {}
    for i, one in ipairs(differences or {}) do
      parts[i] = ("%s: %s → %s"):format(one.field, text_shown(one.old), text_shown(one.new))
    end
    is_empty = false
    rows:row({ change, text_of(user.source), text_of(user.email), text_of(user.name) }, parts)
  end, function()
    if not is_empty then
      rows:finish()
    end
  end
end

local function get(name)
  return { name = name, get = function(row)
    return row[name]
  end }
end

function changes.csv(session)
  local columns = {}
  for i, name in ipairs { "change", "source", "id", "email", "name", "field", "old", "new" } do
    columns[i] = get(name)
  end
  local writer = listing.csv(session, columns)
  session.output:write(writer:header())
  return function(change, user, differences)
    for _, one in ipairs(differences or { {} }) do
      session.output:write(writer:row {
        change = change, source = path.compile "source"(user), id = path.compile "id"(user),
        email = path.compile "email"(user), name = path.compile "name"(user),
        field = one.field, old = one.old, new = one.new,
      })
    end
  end
end

local function or_null(value)
  if value == nil then
    return core.null
  end
  return value
end

function changes.ndjson(session)
  return function(change, user, differences)
    local fields
    if differences then
      fields = {}
      for _, one in ipairs(differences) do
        fields[one.field] = { old = or_null(one.old), new = or_null(one.new) }
      end
    end
    session.output:write(ndjson.encode {
      change = change, source = user.source, id = user.id, email = user.email, name = user.name, fields = fields,
    } .. "\n")
  end
end

return changes
