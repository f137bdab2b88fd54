-- By what a walk knows that a server sends it the same again: page tokens that it asked for before, pages that begin
-- as others did, and pages of nobody without end.

local core = require "rollcall.core"

---@class rollcall.Repeats of one walk
local Repeats = {}
Repeats.__index = Repeats

local repeats = {}

-- Items that a decoder's opening has at most.
local OPENING = 16
-- So many empty pages in a row are a server that never ends: where the client counts them itself, and where each
-- names the next one.
local EMPTY_PAGES, NAMED_EMPTY_PAGES = 100, 10000
-- Items by which a page is known again that has come before, unless its paging type says otherwise.
local LEAST = 2
-- Below that, so many in a row that came before are a server that never ends.
local REPEATED = 100

---@param paging table the paging type of the walk
---@return rollcall.Repeats
function repeats.new(paging)
  return setmetatable({
    least = paging.least or LEAST,
    most_empty = paging.is_counted and EMPTY_PAGES or NAMED_EMPTY_PAGES,
    asked = core.seen(), -- page tokens, so that none is asked for twice
    openings = core.seen(), -- what pages began with, so that none is given twice
    empty = 0, -- pages in a row
    again = 0, -- pages in a row that came before, but are too short to be known by it
  }, Repeats)
end

--- Remembers the token, or what else stands for it, of a page that is asked for; false where it was before.
---@param key string
---@return boolean
function Repeats:ask(key)
  return self.asked:add(key)
end

--- Is a page one that was read before? nil while too little of it is there.
---@param page rollcall.Page whose decoder is there
---@param watermark integer bytes after which no more comes until some are read
---@return boolean?
function Repeats:is_known(page, watermark)
  local count, first, all, waiting = page.exchange.decoder:opening()
  if count > 0 and not self.openings:has(first) then
    return false
  elseif count > 0 and (count == OPENING or page.ended or waiting >= watermark) then
    return (count == OPENING or page.whole == true) and count >= self.least and self.openings:has(all)
  end
  if page.ended then
    return false -- nobody is on it
  end
  return nil
end

--- Remembers what a page began with that was read to its end.
---@param page rollcall.Page
---@return "again"|"empty"|nil problem why the walk cannot go on like this: it came before, or too many are empty
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
