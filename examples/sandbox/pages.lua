-- How Tesouro's listings are cut into pages, and the tokens that lead from page to page.

local bit = require "bit"

local pages = {}

-- Sizes of ten pages in a row, in thirds of Limit: a short page, even an empty one, is not the end.
local EVEN = { 3, 3, 3, 3, 3, 3, 3, 3, 3, 3 }
local UNEVEN = { 3, 3, 3, 2, 3, 3, 0, 3, 1, 3 }
local EMPTY_FIRST = { 0, 3, 1, 3, 3, 3, 3, 2, 3, 3 }
local SHAPES = { even = EVEN, uneven = UNEVEN, empty_first = EMPTY_FIRST }

-- Page number `page` (from 0) of `count` users: its first and last user, and whether a page follows. If the users end
-- just before a page that is empty anyway, that one is the last.
function pages.cut(shape, count, limit, page)
  local sizes, cycle, before = SHAPES[shape], 0, 0
  local place = page % 10
  for at, thirds in ipairs(sizes) do
    local size = math.floor((limit * thirds + 2) / 3)
    cycle = cycle + size
    if at <= place then before = before + size end
  end
  local size = math.floor((limit * sizes[place + 1] + 2) / 3)
  local first = (page - place) / 10 * cycle + before + 1
  local last = first + size - 1
  local follows = last < count or count > 0 and size > 0 and sizes[(place + 1) % 10 + 1] == 0
  return first, math.min(last, count), follows
end

-- Tokens: 8 bytes that sign the content together with the listing that the token is bound to, then the content, masked.
-- The key is not secret and never changes, so that a stored token stays valid in the next sandbox.
local KEY = "the page tokens of the sandbox"
local SIGNED, CONTENT = 8, 14

local function sign(content, binding)
  return ngx.hmac_sha1(KEY, content .. binding):sub(1, SIGNED)
end

local function mask(content, signature)
  local stream, bytes = ngx.md5_bin(KEY .. signature), {}
  for at = 1, #content do bytes[at] = string.char(bit.bxor(content:byte(at), stream:byte(at))) end
  return table.concat(bytes)
end

-- A token for page `page` of the listing that `binding` describes; those of the two directions differ.
function pages.token(direction, page, binding)
  local content = string.format("%s%013d", direction == "next" and "n" or "p", page)
  local signature = sign(content, binding)
  return ngx.encode_base64(signature .. mask(content, signature))
end

-- The page that a token leads to; nil if it is no token, or belongs to another listing.
function pages.of_token(token, binding)
  local bytes = ngx.decode_base64(token)
  if not bytes or #bytes ~= SIGNED + CONTENT then return nil end
  local signature = bytes:sub(1, SIGNED)
  local content = mask(bytes:sub(SIGNED + 1), signature)
  if sign(content, binding) ~= signature then return nil end
  return tonumber(content:sub(2))
end

return pages
