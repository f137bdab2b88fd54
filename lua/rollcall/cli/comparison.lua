-- How two users of snapshots differ, field by field.

local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"
local ndjson = require "rollcall.ndjson"
local path = require "rollcall.path"
local pointers = require "rollcall.pointer"
local schema = require "rollcall.schema"

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

--- Ends the command where the snapshot has no field of a name. A JSON Pointer is never checked.
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

--- The name of a field that is no part of another, without the slash of a JSON Pointer; nil for a part.
local function whole_field(name)
  local steps = pointers.steps(path.pointer(name) or "")
  return #steps == 1 and steps[1] or nil
end

--- A function that takes a part of a field out of a user, as path.compile finds it: it is not compared.
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
      value[tonumber(last) + 1] = core.null -- those behind it keep their places
    end
  end
end

---@alias rollcall.cli.Difference { field: string, old: any, new: any }

--- A function that answers how two users differ, common fields first, then by name. It takes what is not compared out
--- of both.
---@param args table of the command: fields, ignore
---@param known table<string, boolean> the fields that the snapshot has
---@return fun(old: table, new: table): rollcall.cli.Difference[]
function comparison.new(args, known)
  local chosen = args.fields and list_of(args.fields, "--fields") or nil
  local unwanted = list_of(args.ignore, "--ignore")
  if next(known) ~= nil then -- of an empty snapshot nobody knows
    check_names(chosen or {}, known, "--fields")
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
  if not chosen then
    chosen = {}
    for name in pairs(known) do
      chosen[#chosen + 1] = "/" .. pointers.escape(name)
    end
    table.sort(chosen)
  end
  local getters = {}
  for i, name in ipairs(chosen) do
    local field = whole_field(name)
    getters[i] = { name = args.fields and name or field, get = path.compile(name), is_ignored = ignored[field] }
  end
  return function(old, new)
    local changes, told = {}, {}
    for _, take in ipairs(takers) do
      take(old)
      take(new)
    end
    for pass = 1, 2 do -- common fields first: a provider's own name for the same is not told again
      for _, field in ipairs(getters) do
        if (common[field.name] or false) == (pass == 1) then
          local before, after = ndjson.encode(field.get(old)), ndjson.encode(field.get(new))
          local both = before .. "\n" .. after
          if before ~= after and not (pass == 2 and told[both]) then
            told[both] = true
            if not field.is_ignored then
              changes[#changes + 1] = { field = field.name, old = field.get(old), new = field.get(new) }
            end
          end
        end
      end
    end
    return changes
  end
end

return comparison
