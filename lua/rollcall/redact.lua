-- Secrets stay out of everything a person may see: whatever a client knows as one is blotted out
-- of texts that a server, or a library, had a hand in.

local Redactor = {}
Redactor.__index = Redactor

local redact = {}

-- How many secrets of one use are known: a token that was replaced may still be in an answer to come,
-- but one that was replaced so often is not.
local KEPT = 32
-- Bytes that one byte of a secret may take in what is known of here, such as \u0026\u0023x41\u003b, but for the oddest.
local LONGEST_SPELLING = 24

function redact.new()
  return setmetatable({ uses = {} }, Redactor)
end

--- Remembers a secret. Very short ones would blot out half of every text.
---@param secret string
---@param use any? what it is for: of each use the newest are kept
function Redactor:add(secret, use)
  if #secret < 4 then
    return
  end
  use = use or "any"
  local list = self.uses[use] or {}
  self.uses[use] = list
  if list[#list] == secret then
    return
  end
  for i, known in ipairs(list) do
    if known == secret then
      table.remove(list, i)
      break
    end
  end
  list[#list + 1] = secret
  if #list > KEPT then
    table.remove(list, 1)
  end
end

local function utf8_text(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  elseif code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

-- How a server may spell what it echoes: in no fewer bytes than it has, as is_shorter takes for granted. Each looks
-- for the next escape of its kind from a place on: where it begins and ends, and what it stands for.

local function in_json(text, from)
  local first = text:find("\\", from, true)
  while first do
    local digits = text:match("^u(%x%x%x%x)", first + 1)
    local code = tonumber(digits or "", 16)
    if code and code >= 0xD800 and code < 0xDC00 then
      local low = tonumber(text:match("^\\u([Dd][C-Fc-f]%x%x)", first + 6) or "", 16)
      if low then
        return first, first + 11, utf8_text(0x10000 + (code - 0xD800) * 1024 + low - 0xDC00)
      end
    end
    if code then
      return first, first + 5, utf8_text(code)
    end
    local character = text:match("^[/\"\\]", first + 1)
    if character then
      return first, first + 1, character
    end
    first = text:find("\\", first + 1, true)
  end
end

local function in_url(text, from)
  local first, last, digits = text:find("%%(%x%x)", from)
  return first, last, first and string.char(tonumber(digits, 16))
end

local function in_form(text, from)
  local first = text:find("[+%%]", from)
  while first do
    if text:byte(first) == 43 then
      return first, first, " "
    end
    local digits = text:match("^%x%x", first + 1)
    if digits then
      return first, first + 2, string.char(tonumber(digits, 16))
    end
    first = text:find("[+%%]", first + 1)
  end
end

local entities = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function in_html(text, from)
  local first, last, name = text:find("&(#?%w+);", from)
  while first do
    local code = tonumber(name:match("^#(%d+)$")) or tonumber(name:match("^#[xX](%x+)$") or "", 16)
    if code and code < 0x110000 then
      return first, last, utf8_text(code)
    elseif entities[name] then
      return first, last, entities[name]
    end
    first, last, name = text:find("&(#?%w+);", first + 1)
  end
end

-- Each with what a text must have for its first spelling to change it. The later ones: a URL, or a page, that stands
-- in JSON.
local families = {
  { mark = "\\", in_json }, { mark = "%%", in_url }, { mark = "[+%%]", in_form }, { mark = "&", in_html },
  { mark = "\\", in_json, in_url }, { mark = "\\", in_json, in_form }, { mark = "\\", in_json, in_html },
}

--- The text with the escapes of one spelling undone, and how its bytes have moved by that.
local function unescape(text, spelling)
  local parts, shifts, done, removed = {}, { at = {}, by = {} }, 0, 0
  local first, last, meaning = spelling(text, 1)
  while first do
    parts[#parts + 1] = text:sub(done + 1, first - 1)
    parts[#parts + 1] = meaning
    -- From the end of what it stands for on, bytes stand so much later in the text.
    shifts.at[#shifts.at + 1] = first - removed + #meaning - 1
    done, removed = last, removed + last - first + 1 - #meaning
    shifts.by[#shifts.by + 1] = removed
    first, last, meaning = spelling(text, last + 1)
  end
  parts[#parts + 1] = text:sub(done + 1)
  return table.concat(parts), shifts
end

--- Where a byte of the view stands in the text; of an escape its last byte.
local function place(shifts, at)
  local low, high = 0, #shifts.at
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if shifts.at[middle] <= at then
      low = middle
    else
      high = middle - 1
    end
  end
  return at + (low > 0 and shifts.by[low] or 0)
end

--- Adds where secrets stand in a view to the spans, as places in the text.
function Redactor:search(view, moves, spans, left_out)
  for use, list in pairs(self.uses) do
    for _, secret in ipairs(left_out and left_out[use] and {} or list) do
      local first, last = view:find(secret, 1, true)
      while first do
        local before, final = first - 1, last
        for i = #moves, 1, -1 do
          before, final = place(moves[i], before), place(moves[i], final)
        end
        spans[#spans + 1] = { first = before + 1, last = final }
        first, last = view:find(secret, first + 1, true)
      end
    end
  end
end

--- Is a text too short for any secret? However a secret is spelt, no spelling is shorter than it.
function Redactor:is_shorter(text)
  for _, list in pairs(self.uses) do
    for _, secret in ipairs(list) do
      if #secret <= #text then
        return false
      end
    end
  end
  return true
end

--- Is a secret the one of its use that was remembered last?
---@param secret string
---@param use any
---@return boolean
function Redactor:is_newest(secret, use)
  local list = self.uses[use]
  return list ~= nil and list[#list] == secret
end

--- As much of a text as may have a part of a secret in its first bytes.
function Redactor:beginning(text, most)
  local longest = 0
  for _, list in pairs(self.uses) do
    for _, secret in ipairs(list) do
      longest = math.max(longest, #secret)
    end
  end
  return text:sub(1, most + LONGEST_SPELLING * longest)
end

--- The text without them, also where characters of theirs are escaped. All are looked for before any
--- is taken out: one may be part of another.
---@param text string
---@param left_out table<any, boolean>? uses that do not count
---@param most integer? of the text's bytes, only so many first ones
---@return string
function Redactor:clean(text, left_out, most)
  most = math.min(most or #text, #text)
  if self:is_shorter(text) then
    return text:sub(1, most)
  end
  text = self:beginning(text, most)
  local spans = {}
  self:search(text, {}, spans, left_out)
  for _, family in ipairs(text:find "[\\%%+&]" and families or {}) do
    if text:find(family.mark) then
      local view, moves = text, {}
      for i, spelling in ipairs(family) do
        view, moves[i] = unescape(view, spelling)
      end
      if view ~= text then
        self:search(view, moves, spans, left_out)
      end
    end
  end
  if not spans[1] then
    return text:sub(1, most)
  end
  table.sort(spans, function(a, b)
    return a.first < b.first
  end)
  local parts, done = {}, 0
  for _, span in ipairs(spans) do
    if span.first > most then
      break
    elseif span.first > done then
      parts[#parts + 1] = text:sub(done + 1, span.first - 1) .. "[secret]"
    end
    done = math.max(done, span.last)
  end
  return table.concat(parts) .. text:sub(done + 1, most)
end

return redact
