-- Checkpoints: where a walk stood, as one line of JSON from which another process can continue. It names the walk it is
-- of, and is refused for any other walk. It contains no secret.

local base64 = require "rollcall.base64"
local core = require "rollcall.core"
local json = require "rollcall.json"

local checkpoint = {}

local FORMAT = 1

---@class rollcall.Checkpoint
---@field walk rollcall.WalkIdentity
---@field position rollcall.Position? of the page that was being read; nil for the first one
---@field ledger string? what that page had given, see core.ledger
---@field done boolean? the walk had reached its end

---@class rollcall.WalkIdentity
---@field provider string
---@field base_url string
---@field collection string
---@field variables table<string, string> such as the account
---@field query table<string, any> filters, page size, direction

---@param saved rollcall.Checkpoint
---@return string
function checkpoint.encode(saved)
  return json.encode {
    rollcall = FORMAT,
    walk = saved.walk,
    position = saved.position,
    ledger = saved.ledger and base64.encode(saved.ledger),
    done = saved.done,
  }
end

--- A checkpoint of several walks, each under its name.
---@param parts table<string, string> checkpoints
---@param output table<string, string>? the output made from the walks, for a process that continues it
---@return string
function checkpoint.encode_parts(parts, output)
  return json.encode { rollcall = FORMAT, parts = parts, output = output }
end

local function show(value)
  if value == nil or value == core.null then
    return "none"
  elseif type(value) == "table" then
    local parts = {}
    for i, one in ipairs(value) do
      parts[i] = type(one) == "string" and ("%q"):format(one) or show(one)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  -- A number must look the same whether it went through JSON or not.
  return type(value) == "number" and json.number(value) or tostring(value)
end

local function same(a, b)
  return (a == nil) == (b == nil) and (type(a) == "table") == (type(b) == "table") and show(a) == show(b)
end

--- The first difference of two walks, in words; nil if they are the same.
local function difference(saved, wanted)
  for _, name in ipairs { "provider", "base_url", "collection" } do
    if saved[name] ~= wanted[name] then
      return ("%s %s, not %s"):format(name, show(saved[name]), show(wanted[name]))
    end
  end
  for _, group in ipairs { "variables", "query" } do
    local one = type(saved[group]) == "table" and saved[group] or {}
    for _, pair in ipairs { { one, wanted[group] }, { wanted[group], one } } do
      for name in pairs(pair[1]) do
        if not same(one[name], wanted[group][name]) then
          return ("%s %s, not %s"):format(name, show(one[name]), show(wanted[group][name]))
        end
      end
    end
  end
  return nil
end

local function read(text)
  local saved = type(text) == "string" and json.decode(text)
  if type(saved) ~= "table" or type(saved.rollcall) ~= "number" then
    return nil, "expected a checkpoint, got another text"
  elseif saved.rollcall ~= FORMAT then
    return nil, ("a checkpoint of format %s, which this version does not know"):format(show(saved.rollcall))
  end
  return saved
end

--- Reads a checkpoint for a walk; nil and why it does not fit this walk.
---@param text string
---@param wanted rollcall.WalkIdentity
---@param restore fun(saved: table): rollcall.Position? makes a position from a saved one
---@return rollcall.Checkpoint?
---@return string? problem
function checkpoint.decode(text, wanted, restore)
  local saved, problem = read(text)
  if not saved then
    return nil, problem
  elseif type(saved.walk) ~= "table" then
    return nil, "a checkpoint of several walks"
  end
  local different = difference(saved.walk, wanted)
  if different then
    return nil, "this checkpoint is of a walk with " .. different
  end
  local ledger = type(saved.ledger) == "string" and base64.decode(saved.ledger) or nil
  local position = type(saved.position) == "table" and restore(saved.position) or nil
  if saved.ledger ~= nil and not ledger or saved.position ~= nil and not position then
    return nil, "expected a checkpoint; this one was changed"
  end
  return { walk = saved.walk, position = position, ledger = ledger, done = saved.done == true }
end

--- Reads a checkpoint of several walks: their checkpoints by name.
---@param text string
---@return table<string, string>?
---@return string? problem
---@return table? output that was written with them
function checkpoint.decode_parts(text)
  local saved, problem = read(text)
  if not saved then
    return nil, problem
  elseif type(saved.parts) ~= "table" then
    return nil, "a checkpoint of a single walk"
  end
  return saved.parts, nil, type(saved.output) == "table" and saved.output or nil
end

return checkpoint
