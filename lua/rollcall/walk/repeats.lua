-- Loop detection: repeated page tokens, pages that begin alike, endless empty pages.

local core = require "rollcall.core"

---@class rollcall.Repeats of one walk
---@field least integer items by which a repeated page is recognized
---@field most_empty integer empty pages that may follow each other
---@field asked rollcall.Seen page tokens, so that none is requested twice
---@field openings rollcall.Seen what pages began with, so that none is given twice
---@field empty integer empty pages in a row
---@field again integer repeated pages in a row that are too short to be recognized by one
local Repeats = {}
Repeats.__index = Repeats

local repeats = {}

-- The most items that a decoder's `opening` covers.
local OPENING = 16
-- With more empty pages in a row a server is taken for one that never ends: if the client counts pages itself, and if
-- each page names the next one.
local EMPTY_PAGES, NAMED_EMPTY_PAGES = 100, 10000
-- Items by which a repeated page is recognized, unless its paging type declares another number.
local LEAST = 2
-- If pages have fewer items, this many repeated ones in a row are taken for a server that never ends.
local REPEATED = 100

---@param paging table the paging type of the walk
---@return rollcall.Repeats
function repeats.new(paging)
  return setmetatable({
    least = paging.least or LEAST,
    most_empty = paging.is_counted and EMPTY_PAGES or NAMED_EMPTY_PAGES,
    asked = core.seen(),
    openings = core.seen(),
    empty = 0,
    again = 0,
  }, Repeats)
end

--- Remembers the token or other key of a page that is requested; false if it was requested before.
---@param key string
---@return boolean
function Repeats:ask(key)
  return self.asked:add(key)
end

--- Is this a repeated page? nil while too little of it has arrived.
---@param page rollcall.Page with a decoder
---@param watermark integer bytes after which no more arrive until some are read
---@return boolean?
function Repeats:is_known(page, watermark)
  local count, first, all, waiting = page.exchange.decoder:opening()
  if count > 0 and not self.openings:has(first) then
    return false
  elseif count > 0 and (count == OPENING or page.ended or waiting >= watermark) then
    return (count == OPENING or page.whole == true) and count >= self.least and self.openings:has(all)
  end
  if page.ended then
    return false -- it is empty
  end
  return nil
end

--- Remembers the beginning of a page that was read to its end.
---@param page rollcall.Page
---@return "again"|"empty"|nil problem why the walk must not go on: the page is repeated, or too many are empty
function Repeats:remember(page)
  local count, first, all = page.exchange.decoder:opening()
  if count == 0 then
    self.empty = self.empty + 1
    return self.empty > self.most_empty and "empty" or nil
  end
  self.empty = 0
  self.openings:add(first)
  if self.openings:add(all) then
    self.again = 0
    return nil
  end
  self.again = self.again + 1
  return (count >= self.least or self.again >= REPEATED) and "again" or nil
end

return repeats
