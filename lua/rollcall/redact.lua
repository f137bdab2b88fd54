-- Secrets stay out of everything a person may see: whatever a client knows as one is blotted out
-- of texts that a server, or a library, had a hand in.

local Redactor = {}
Redactor.__index = Redactor

local redact = {}

function redact.new()
  return setmetatable({ secrets = {} }, Redactor)
end

--- Remembers a secret. Very short ones would blot out half of every text.
---@param secret string
function Redactor:add(secret)
  if #secret >= 4 then
    self.secrets[secret] = true
  end
end

--- Forgets one that is no longer in use.
---@param secret string
function Redactor:remove(secret)
  self.secrets[secret] = nil
end

-- How a server may spell a character that it echoes: in JSON, in a URL.
local spellings = { "\\u00([0-7]%x)", "%%([0-7]%x)", "\\([/\"\\])" }

--- The text with such spellings undone, and how its bytes have moved by that.
local function unescape(text)
  local escapes = {}
  for _, spelling in ipairs(spellings) do
    local first, last, what = text:find(spelling)
    while first do
      local byte = #what == 1 and what or string.char(tonumber(what, 16))
      escapes[#escapes + 1] = { first = first, last = last, byte = byte }
      first, last, what = text:find(spelling, last + 1)
    end
  end
  table.sort(escapes, function(a, b)
    return a.first < b.first
  end)
  local parts, shifts, done, removed = {}, {}, 0, 0
  for _, escape in ipairs(escapes) do
    if escape.first > done then
      parts[#parts + 1] = text:sub(done + 1, escape.first - 1) .. escape.byte
      -- From its byte in the view on, bytes stand so much later in the text.
      local at = escape.first - removed
      done, removed = escape.last, removed + escape.last - escape.first
      shifts[#shifts + 1] = { at = at, by = removed }
    end
  end
  return table.concat(parts) .. text:sub(done + 1), shifts
end

--- Where a byte of the view stands in the text; of an escape its last byte.
local function place(shifts, at)
  local low, high = 0, #shifts
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if shifts[middle].at <= at then
      low = middle
    else
      high = middle - 1
    end
  end
  return at + (low > 0 and shifts[low].by or 0)
end

--- The text without them, also where characters of theirs are escaped. All are looked for before any
--- is taken out: one may be part of another.
---@param text string
---@return string
function Redactor:clean(text)
  local view, shifts = unescape(text)
  local spans = {}
  local function search(where, moved)
    for secret in pairs(self.secrets) do
      local first, last = where:find(secret, 1, true)
      while first do
        spans[#spans + 1] = { first = place(moved, first - 1) + 1, last = place(moved, last) }
        first, last = where:find(secret, last + 1, true)
      end
    end
  end
  search(text, {})
  if #shifts > 0 then
    search(view, shifts)
  end
  table.sort(spans, function(a, b)
    return a.first < b.first
  end)
  local parts, done = {}, 0
  for _, span in ipairs(spans) do
    if span.first > done then
      parts[#parts + 1] = text:sub(done + 1, span.first - 1) .. "[secret]"
    end
    done = math.max(done, span.last)
  end
  return table.concat(parts) .. text:sub(done + 1)
end

return redact
