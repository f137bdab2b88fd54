-- Keeps secrets out of everything that people may see: replaces every secret that a client knows in texts that come
-- from a server or a library.

local base64 = require "rollcall.base64"

local Redactor = {}
Redactor.__index = Redactor

local redact = {}

-- Limits per use, in secrets and bytes, for rotated and one-time tokens: an old one may still be echoed, and each
-- request under way may have its own.
local KEPT, KEPT_BYTES = 2048, 2097152
-- Bytes of the shortest secret: a shorter one would blot out half of every text. Secrets are indexed by their last
-- SHORTEST bytes, where tokens differ most.
local SHORTEST = 4
-- Secrets of at least this many bytes are also looked for in base64 and in hexadecimal.
local SHORTEST_ENCODED = 8
-- Most bytes that one secret byte takes in a supported escaping, such as \u0026\u0023x41\u003b; odd ones may take more.
local LONGEST_SPELLING = 24
-- Most bytes after a cut that are searched for the rest of a secret that begins before it; more only for a longer
-- secret.
local REACH = 131072
-- Bytes that are compared for one text. Only a crafted text exceeds this; then every candidate, that is, whatever ends
-- like a secret, is blotted out.
local PATIENCE = 4194304

-- How a server may encode a whole secret. Base64 is looked for without its padding, which stays in the text.

local function as_it_is(text)
  return text
end

local function in_base64(text)
  return (base64.encode(text):gsub("=", ""))
end

local function in_base64_of_urls(text)
  return (in_base64(text):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

local function in_digits(text)
  return (text:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function in_capital_digits(text)
  return in_digits(text):upper()
end

local encodings = { in_base64, in_base64_of_urls, in_digits, in_capital_digits }

function redact.new()
  return setmetatable({
    uses = {}, -- by use: its secrets, in a queue
    endings = {}, -- by last bytes: what is looked for
    shortest = math.huge,
    longest = 0,
  }, Redactor)
end

--- Adds one encoding of a secret to what is looked for; only the end of it is encoded here.
function Redactor:look_for(known, text, write, use)
  -- Whole groups of base64 before the last bytes do not change how those are encoded.
  local written = write(text:sub(-((#text - 1) % 3 + 4)))
  local one = { text = text, write = write, use = use, length = math.ceil(#text * #write "abc" / 3),
    ending = written:sub(-SHORTEST) }
  local alike = self.endings[one.ending] or {}
  self.endings[one.ending] = alike
  alike[#alike + 1] = one
  known[#known + 1] = one
end

function Redactor:remember(secret, use)
  local known = { secret = secret }
  local trimmed = secret:match("^%s*(.*%S)") or ""
  for _, text in ipairs { secret, trimmed ~= secret and trimmed or nil } do
    if #text >= SHORTEST then
      self:look_for(known, text, as_it_is, use)
      for _, write in ipairs(#text >= SHORTEST_ENCODED and encodings or {}) do
        self:look_for(known, text, write, use)
      end
      self.shortest, self.longest = math.min(self.shortest, #text), math.max(self.longest, #text)
    end
  end
  return known
end

function Redactor:forget(known)
  for _, one in ipairs(known) do
    local alike = self.endings[one.ending]
    for i, other in ipairs(alike) do
      if other == one then
        table.remove(alike, i)
        break
      end
    end
    self.endings[one.ending] = alike[1] and alike
  end
end

--- Registers a secret, also without surrounding blanks, which headers lose.
---@param secret string
---@param use any? what it is for: the newest ones of each use are kept
function Redactor:add(secret, use)
  if #secret < SHORTEST then
    return
  end
  use = use or "any"
  local kept = self.uses[use] or { known = {}, first = 1, last = 0, bytes = 0 }
  self.uses[use] = kept
  kept.newest = secret
  local known = kept.known[secret]
  if not known then
    known = self:remember(secret, use)
    kept.known[secret] = known
    kept.last, kept.bytes = kept.last + 1, kept.bytes + #secret
    kept[kept.last] = known
  end
  known.came = true -- added again since it was last the oldest
  while kept.last - kept.first >= KEPT or kept.bytes > KEPT_BYTES and kept.first < kept.last do
    local oldest = kept[kept.first]
    kept[kept.first] = nil
    kept.first = kept.first + 1
    if oldest.came then
      oldest.came = false
      kept.last = kept.last + 1
      kept[kept.last] = oldest
    else
      kept.known[oldest.secret], kept.bytes = nil, kept.bytes - #oldest.secret
      self:forget(oldest)
    end
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

-- How a server may escape what it echoes: never in fewer bytes than the original, on which clean relies. Each finds the
-- next escape of its kind from a position on: its first and last byte, and what it stands for.

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
    if code and code >= 0 and code < 0x110000 then -- long hexadecimal ones wrap around in 5.4
      return first, last, utf8_text(code)
    elseif entities[name] then
      return first, last, entities[name]
    end
    first, last, name = text:find("&(#?%w+);", first + 1)
  end
end

-- Escapings that are undone, each with those that are undone after it: a URL, or a page, in JSON; JSON in JSON; a URL
-- in a URL, or in a page, or the other way round.
local spellings = {
  { in_json, { { in_json, { { in_json, {} } } }, { in_url, {} }, { in_form, {} }, { in_html, { { in_url, {} } } } } },
  { in_url, { { in_url, { { in_url, {} } } }, { in_html, {} } } },
  { in_form, {} },
  { in_html, { { in_url, {} } } },
}

--- The text with the escapes of one kind undone, and how its bytes have moved by that; nil if it has none.
local function unescape(text, spelling)
  local first, last, meaning = spelling(text, 1)
  if not first then
    return nil
  end
  local parts, shifts, done, removed = {}, { at = {}, by = {} }, 0, 0
  while first do
    parts[#parts + 1] = text:sub(done + 1, first - 1)
    parts[#parts + 1] = meaning
    -- From the end of what it stands for on, bytes are this much later in the text.
    shifts.at[#shifts.at + 1] = first - removed + #meaning - 1
    done, removed = last, removed + last - first + 1 - #meaning
    shifts.by[#shifts.by + 1] = removed
    first, last, meaning = spelling(text, last + 1)
  end
  parts[#parts + 1] = text:sub(done + 1)
  return table.concat(parts), shifts
end

--- The position in the text of a byte of the view; for an escape, of its last byte.
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

--- Adds a span of a view to those of the text: the last byte, by the first.
local function mark(spans, moves, first, last)
  local before = first - 1
  for i = #moves, 1, -1 do
    before, last = place(moves[i], before), place(moves[i], last)
  end
  spans[before + 1] = math.max(spans[before + 1] or 0, last)
end

--- The first byte of the longest secret that ends at a byte of a view; nil if none does. Once patience is used up,
--- every secret with this ending counts.
function Redactor:beginning_of(view, last, alike, is_left_out)
  local lowest
  for _, one in ipairs(alike) do
    local first = math.max(1, last - one.length + 1)
    if first < (lowest or last) and not (is_left_out and is_left_out(one.use, one.text)) then
      self.patience = self.patience - one.length
      if self.patience < 0 or view:sub(first, last) == one.write(one.text) then
        lowest = first
      end
    end
  end
  return lowest
end

--- Adds the secrets in a view to the spans, as positions in the text; overlapping ones as one.
function Redactor:search(view, moves, spans, is_left_out)
  local endings = self.endings
  local from, to
  for last = SHORTEST, #view do
    local alike = endings[view:sub(last - SHORTEST + 1, last)]
    local first = alike and self:beginning_of(view, last, alike, is_left_out)
    if first then
      if from and first <= to then
        from = math.min(from, first)
      else
        if from then
          mark(spans, moves, from, to)
        end
        from = first
      end
      to = last
    end
  end
  if from then
    mark(spans, moves, from, to)
  end
end

--- The same for a view and for what it is with its escapes undone.
function Redactor:search_all(view, moves, spans, is_left_out, undo, seen)
  if not seen[view] then
    seen[view] = true
    self:search(view, moves, spans, is_left_out)
  end
  for _, one in ipairs(undo) do
    local deeper, shifts = unescape(view, one[1])
    if deeper then
      moves[#moves + 1] = shifts
      self:search_all(deeper, moves, spans, is_left_out, one[2], seen)
      moves[#moves] = nil
    end
  end
end

--- Is this the secret that was registered last for its use?
---@param secret string
---@param use any
---@return boolean
function Redactor:is_newest(secret, use)
  local kept = self.uses[use]
  return kept ~= nil and kept.newest == secret
end

--- The text with its secrets replaced, also escaped ones. All are found before any is replaced, since one may be part
--- of another.
---@param text string
---@param is_left_out (fun(use: any, secret: string): boolean)? true for secrets that are not looked for
---@param most integer? returns only this many first bytes of the text, redacted
---@return string
function Redactor:clean(text, is_left_out, most)
  most = math.min(most or #text, #text)
  if #text < self.shortest then
    return text:sub(1, most)
  end
  text = text:sub(1, most + math.min(math.max(REACH, self.longest), LONGEST_SPELLING * self.longest))
  self.patience = PATIENCE
  local spans = {}
  self:search_all(text, {}, spans, is_left_out, text:find "[\\%%+&]" and spellings or {}, {})
  local firsts = {}
  for first in pairs(spans) do
    firsts[#firsts + 1] = first
  end
  table.sort(firsts)
  local parts, done = {}, 0
  for _, first in ipairs(firsts) do
    if first > most then
      break
    elseif first > done then
      parts[#parts + 1] = text:sub(done + 1, first - 1) .. "[secret]"
    end
    done = math.max(done, spans[first])
  end
  return table.concat(parts) .. text:sub(done + 1, most)
end

return redact
