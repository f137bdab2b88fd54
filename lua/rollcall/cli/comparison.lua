-- How two users of snapshots differ, field by field.

local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"
local ndjson = require "rollcall.ndjson"
local path = require "rollcall.path"
local pointers = require "rollcall.pointer"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

local comparison = {}

-- The common fields that a snapshot may have.
local common = { id = true, email = true, name = true, status = true, role_names = true, mfa = true,
  created_at = true, updated_at = true, last_seen_at = true, account_id = true, account_name = true }

local function list_of(text, option)
  local list = {}
  for part in (text or ""):gmatch "[^,]+" do
    part = part:match "^%s*(.-)%s*$"
    local is_name, limit = path.is_name(part)
    if not is_name then
      failure.usage("%s: %q is no field's name%s", option, part, limit)
    end
    list[#list + 1] = part
  end
  return list
end

--- Ends the command if the snapshot has no field of a name. A JSON Pointer is never checked.
local function check_names(list, known, option)
  local all = {}
  for name in pairs(known) do
    all[#all + 1] = name
  end
  for name in pairs(common) do
    all[#all + 1] = not known[name] and name or nil
  end
  table.sort(all)
  for _, name in ipairs(list) do
    local first = name:match "^[^.]+"
    if name:sub(1, 1) ~= "/" and not known[name] and not known[first] and not common[first] then
      local near = schema.nearest(first, all)
      failure.usage("%s: users of the snapshot have no field %s; %s One that only now's have: /%s", option, first,
        near and ("did you mean %s?"):format(near) or "they have " .. table.concat(all, ", ") .. ".", first)
    end
  end
end

--- The name of a whole field, without the slash of a JSON Pointer; nil for a part of a field.
local function whole_field(name)
  local steps = pointers.steps(path.pointer(name) or "")
  return #steps == 1 and steps[1] or nil
end

--- A function that removes a part of a field from a user, as path.compile finds it, so that it is not compared.
---@param name string with several steps
local function taker(name)
  local is_pointer = path.pointer(name) ~= nil
  local around, step = name:match(is_pointer and "^(.*)/([^/]*)$" or "^(.*)%.([^.]*)$")
  local get, last = path.compile(around), is_pointer and pointers.steps("/" .. step)[1] or step
  return function(user)
    local value = get(user)
    if not is_pointer and user[name] ~= nil then
      user[name] = nil
    elseif type(value) == "table" and value[last] ~= nil then
      value[last] = nil
    elseif type(value) == "table" and last:find "^%d+$" and value[tonumber(last) + 1] ~= nil then
      value[tonumber(last) + 1] = core.null -- those after it keep their positions
    end
  end
end

--- A getter of a whole field of a snapshot's user, whatever its name; null is nil.
local function getter(field)
  return function(user)
    local value = user[field]
    if value == core.null then
      return nil
    end
    return value
  end
end

--- The fields to compare: those of --fields, or all that the snapshot has, common ones first.
---@param args table of the command
---@param known table<string, boolean>
---@return { name: string, get: (fun(user: table): any), field: string? }[] field: of a whole one only
local function columns_of(args, known)
  local columns = {}
  if args.fields then
    local list = list_of(args.fields, "--fields")
    if next(known) ~= nil then -- an empty snapshot has no known fields
      check_names(list, known, "--fields")
    end
    for i, name in ipairs(list) do
      columns[i] = { name = name, get = path.compile(name), field = whole_field(name) }
    end
    return columns
  end
  for _, name in ipairs(tables.keys(known)) do
    columns[#columns + 1] = { name = name, get = getter(name), field = name }
  end
  table.sort(columns, function(a, b)
    if common[a.name] ~= common[b.name] then
      return common[a.name] == true
    end
    return a.name < b.name
  end)
  return columns
end

---@alias rollcall.cli.Difference { field: string, old: any, new: any }

--- A function that returns how two users differ, common fields first, then by name. It removes from both what is not
--- compared. A changed common field is not reported again by the provider's own name for it, unless --fields names
--- that.
---@param args table of the command: fields, ignore
---@param known table<string, boolean> the fields that the snapshot has
---@param aliases_of fun(user: table): table<string, string> own fields that are common ones by another name
---@return fun(old: table, new: table): rollcall.cli.Difference[]
function comparison.new(args, known, aliases_of)
  local unwanted = list_of(args.ignore, "--ignore")
  if next(known) ~= nil then
    check_names(unwanted, known, "--ignore")
  end
  local ignored, takers = {}, {}
  for _, name in ipairs(unwanted) do
    local field = whole_field(name)
    if field then
      ignored[field] = true
    else
      takers[#takers + 1] = taker(name)
    end
  end
  local columns = columns_of(args, known)
  return function(old, new)
    local changes, told = {}, {}
    local aliases = args.fields and {} or aliases_of(new)
    for _, take in ipairs(takers) do
      take(old)
      take(new)
    end
    for _, column in ipairs(columns) do
      local name, before, after = column.name, column.get(old), column.get(new)
      local was, is = ndjson.encode(before), ndjson.encode(after)
      if was ~= is and told[aliases[name] or ""] ~= was .. "\n" .. is then
        told[name] = was .. "\n" .. is
        if not ignored[column.field or false] then
          changes[#changes + 1] = { field = name, old = before, new = after }
        end
      end
    end
    return changes
  end
end

return comparison
