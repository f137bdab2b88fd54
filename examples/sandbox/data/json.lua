-- Writes JSON text in the many spellings of real servers: escapes or raw UTF-8, `\/`, key orders, whitespace.

local json = {}

local found, cjson = pcall(require, "cjson")
json.null = found and cjson.null or setmetatable({}, { __tostring = function() return "null" end })

local arrays = setmetatable({}, { __mode = "k" })

-- Marks a table as an array, which an empty one does not show.
function json.array(list)
  arrays[list] = true
  return list
end

local short = { ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- The \u escapes of one UTF-8 sequence: one, or a surrogate pair.
local function unicode_escape(sequence, format)
  local lead = sequence:byte()
  local code = lead < 0xE0 and lead - 0xC0 or lead < 0xF0 and lead - 0xE0 or lead - 0xF0
  for at = 2, #sequence do code = code * 64 + sequence:byte(at) - 128 end
  if code < 0x10000 then return format:format(code) end
  code = code - 0x10000
  return format:format(0xD800 + math.floor(code / 0x400)) .. format:format(0xDC00 + code % 0x400)
end

local function quote(text, style)
  local format = style.escape == "upper" and "\\u%04X" or "\\u%04x"
  text = text:gsub('[%c"\\/]', function(char)
    if char == "/" then return style.slash and "\\/" or nil end
    if char == "\127" then return nil end
    if char == '"' or char == "\\" then return "\\" .. char end
    return style.escape ~= "upper" and short[char] or format:format(char:byte())
  end)
  if style.escape ~= "raw" then
    text = text:gsub("[\194-\244][\128-\191]+", function(sequence) return unicode_escape(sequence, format) end)
  end
  return '"' .. text .. '"'
end

-- A key with one letter escaped: legal, but it breaks parsers that compare keys as bytes.
local function odd_key(key)
  return '"' .. key:sub(1, 1) .. string.format("\\u%04x", key:byte(2)) .. key:sub(3) .. '"'
end

local function sorted_keys(object, style)
  local keys = {}
  for key in pairs(object) do keys[#keys + 1] = key end
  local rank = style.order == "schema" and style.rank or {}
  table.sort(keys, function(a, b)
    local x, y = rank[a] or math.huge, rank[b] or math.huge
    if x ~= y then return x < y end
    if style.order == "reverse" then return b < a end
    return a < b
  end)
  return keys
end

-- Whitespace between the tokens, by the style's `space`: after an opening bracket or comma, before a closing one, after
-- a colon.
local function gaps(style, depth)
  local space = style.space
  if space == "pretty" then
    return "\n" .. ("  "):rep(depth + 1), "\n" .. ("  "):rep(depth), " "
  elseif space == "odd" then
    return "\r\n\t", " ", "\t "
  end
  return "", "", space == "spaced" and " " or ""
end

local write

local function write_members(open, members, close, style, depth)
  if #members == 0 then return open .. (style.space == "odd" and " " or "") .. close end
  local inside, outside = gaps(style, depth)
  local comma = style.space == "spaced" and ", " or (style.space == "odd" and " ," or ",") .. inside
  return open .. inside .. table.concat(members, comma) .. outside .. close
end

function write(value, style, depth)
  local kind = type(value)
  if value == json.null then return "null" end
  if kind == "string" then return quote(value, style) end
  if kind == "boolean" then return tostring(value) end
  local members = {}
  if arrays[value] or value[1] ~= nil then
    for at = 1, #value do members[at] = write(value[at], style, depth + 1) end
    return write_members("[", members, "]", style, depth)
  end
  local _, _, after_colon = gaps(style, depth)
  for at, key in ipairs(sorted_keys(value, style)) do
    members[at] = (style.odd_keys and odd_key(key) or quote(key, style)) .. ":" .. after_colon ..
      write(value[key], style, depth + 1)
  end
  return write_members("{", members, "}", style, depth)
end

-- Style: `escape` "raw", "lower" or "upper" (hexadecimal digits of \u escapes), `slash` whether "/" becomes "\/",
-- `space` "compact", "spaced", "pretty" or "odd", `order` "schema" (by the table `rank`), "alphabetical" or "reverse",
-- `odd_keys` whether keys have an escaped letter.
function json.write(value, style)
  return write(value, style, 0)
end

-- The style of one user: most servers write compact text in one order, but every style must occur.
function json.random_style(generator, rank)
  return {
    escape = generator:pick { "raw", "raw", "raw", "lower", "upper" },
    slash = generator:chance(30),
    space = generator:pick { "compact", "compact", "compact", "compact", "spaced", "pretty", "odd" },
    order = generator:pick { "schema", "schema", "schema", "alphabetical", "reverse" },
    odd_keys = generator:chance(2),
    rank = rank,
  }
end

-- { "id", "email" } to { id = 1, email = 2 }.
function json.rank(fields)
  local rank = {}
  for at, field in ipairs(fields) do rank[field] = at end
  return rank
end

return json
