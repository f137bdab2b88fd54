-- The paging types a provider can name, each a module of its own.

---@class rollcall.Position where a page is: what its paging type needs to ask for it; plain data, for checkpoints
---@field token string? cursor, after
---@field before string? after, backwards: the token of the first item of the page behind it
---@field url string? link, next_url
---@field number integer? page
---@field offset integer? offset
---@field given integer? page: items of the pages before it, where they are known
---@field expected integer? offset, backwards: items up to the page behind it

---@class rollcall.PagingType
---@field schema table<string, rollcall.Schema> the fields of its declaration
---@field check (fun(paging: table, report: fun(path: string, problem: string)))? what no field can say alone
---@field edges boolean? its pages' first and last items are needed
---@field least integer? items by which a page that came before is known again, 2
---@field is_linked boolean? its positions are URLs
---@field is_counted boolean? the client makes up its positions, so that a server may send empty pages forever
---@field captures fun(paging: table): string[] JSON Pointers
---@field places fun(paging: table): rollcall.Place[] where it puts what it sends; the first is the position's
---@field goes_back fun(paging: table): boolean
---@field first fun(paging: table, query: rollcall.Query, base: string): rollcall.Position?, string? or a problem
---@field prepare (fun(paging: table, request: rollcall.Request, query: rollcall.Query))? adds what every page's
---  request has alike
---@field apply fun(paging: table, position: rollcall.Position, request: rollcall.Request, query: rollcall.Query)
---@field after fun(paging: table, answer: rollcall.Answer, query: rollcall.Query): rollcall.Position?, string?, string?
---  the next page's position; nil at the end; nil, what is wrong, and the kind of the error ("decode" by default)
---@field ahead (fun(paging: table, position: rollcall.Position, known: table, query: rollcall.Query):
---  rollcall.Position?)? where the page after this one is, before this one has ended; nil where that is not known
---@field show fun(position: rollcall.Position): string? as `page_token` takes it
---@field restore fun(saved: table, base: string, paging: table): rollcall.Position? of a
---  checkpoint; nil where it was changed

return {
  none = require "rollcall.paging.none",
  cursor = require "rollcall.paging.cursor",
  link = require "rollcall.paging.link",
  next_url = require "rollcall.paging.next_url",
  page = require "rollcall.paging.page",
  offset = require "rollcall.paging.offset",
  after = require "rollcall.paging.after",
}
