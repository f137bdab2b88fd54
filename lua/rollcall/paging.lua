-- The paging types that a provider can declare, each a module of its own.

---@class rollcall.Position where a page is: what its paging type needs to request it; plain data, for checkpoints
---@field token string? cursor, after
---@field before string? after, backwards: the token of the first item of the page after it
---@field url string? link, next_url
---@field number integer? page
---@field offset integer? offset
---@field given integer? page: the number of items on the pages before it, if known
---@field expected integer? offset, backwards: the number of items up to the page after it

---@class rollcall.PagingType
---@field schema table<string, rollcall.Schema> the fields of its declaration
---@field check (fun(paging: table, report: fun(path: string, problem: string)))? checks that involve several fields
---@field edges boolean? its pages' first and last items are needed
---@field least integer? items by which a repeated page is recognized, 2 by default
---@field is_linked boolean? its positions are URLs
---@field is_counted boolean? the client counts positions itself, so that a server may send empty pages forever
---@field captures fun(paging: table): string[] JSON Pointers of the values that it needs from a body
---@field places fun(paging: table): rollcall.Place[] the places of what it sends; the first one is the position's
---@field goes_back fun(paging: table): boolean
---@field first fun(paging: table, query: rollcall.Query, base: string): rollcall.Position?, string? or a problem
---@field prepare (fun(paging: table, request: rollcall.Request, query: rollcall.Query))? adds what is the same for
---  every page
---@field apply fun(paging: table, position: rollcall.Position, request: rollcall.Request, query: rollcall.Query)
---@field after fun(paging: table, answer: rollcall.Answer, query: rollcall.Query): rollcall.Position?, string?, string?
---  the next page's position; nil at the end; nil, what is wrong, and the kind of the error ("decode" by default)
---@field ahead (fun(paging: table, position: rollcall.Position, known: table, query: rollcall.Query):
---  rollcall.Position?)? the position of the page after this one, before this one has ended; nil if it is not known
---@field show fun(position: rollcall.Position): string? as `page_token` takes it
---@field restore fun(saved: table, base: string, paging: table): rollcall.Position? from a checkpoint; nil if it was
---  changed

return {
  none = require "rollcall.paging.none",
  cursor = require "rollcall.paging.cursor",
  link = require "rollcall.paging.link",
  next_url = require "rollcall.paging.next_url",
  page = require "rollcall.paging.page",
  offset = require "rollcall.paging.offset",
  after = require "rollcall.paging.after",
}
