-- How changes between snapshots are shown: a table, CSV or lines of JSON.

local csv = require "rollcall.csv"
local listing = require "rollcall.cli.listing"
local ndjson = require "rollcall.ndjson"
local path = require "rollcall.path"
local snapshot = require "rollcall.cli.snapshot"
local text_table = require "rollcall.cli.table"

--- By format, makes a function that shows a change, and one that ends the table.
---@alias rollcall.cli.Show fun(change: "joined"|"left"|"changed", user: table, differences: rollcall.cli.Difference[]?)
---@type table<string, fun(session: rollcall.cli.Session): (rollcall.cli.Show, fun()?)>
local changes = {}

local text_of = snapshot.text_of

local function text_shown(value)
  return value == nil and "-" or csv.text(value)
end

function changes.table(session)
  local rows = text_table.new({ "CHANGE", "SOURCE", "EMAIL", "NAME" }, function(line)
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

local function is_empty_table(value)
  return type(value) == "table" and next(value) == nil
end

--- The JSON text of a field's value, given its other value: an empty table is a list if that is one.
local function text_beside(value, other)
  if is_empty_table(value) and type(other) == "table" and (other[1] ~= nil or is_empty_table(other)) then
    return "[]"
  end
  return ndjson.encode(value)
end

function changes.ndjson(session)
  return function(change, user, differences)
    local line = ndjson.encode {
      change = change, source = user.source, id = user.id, email = user.email, name = user.name,
    }
    if differences then
      local fields = {}
      for i, one in ipairs(differences) do
        fields[i] = ('%s:{"old":%s,"new":%s}'):format(ndjson.encode(one.field), text_beside(one.old, one.new),
          text_beside(one.new, one.old))
      end
      line = ('%s,"fields":{%s}}'):format(line:sub(1, -2), table.concat(fields, ","))
    end
    session.output:write(line .. "\n")
  end
end

return changes
