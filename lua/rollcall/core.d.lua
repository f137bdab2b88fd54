---@meta rollcall.core

-- The native module. A script needs the decoder of it; the rest is what the Lua layer stands on.

local core = {}

---@class rollcall.DecoderOptions
---@field items string JSON Pointer (RFC 6901) of the array; "" is the document itself
---@field capture string[]? JSON Pointers of at most 16 scalars outside the array
---@field record table? the type of its records, from core.record_type
---@field max_bytes integer? of the document, 4 GiB
---@field max_item integer? bytes of one item, 8 MiB
---@field max_depth integer? of nesting, 512; at most 2048
---@field id string? JSON Pointer, in a record, of what `opening` knows it again by; its text by default
---@field edges boolean? keeps the first and the last record for `edge`
---@field containers boolean? captures arrays and objects, too; not those around the records

--- Finds an array of objects in a stream of bytes and gives each object as a record when its last
--- byte has come. Raises where an option is wrong.
---@param options rollcall.DecoderOptions
---@return rollcall.Decoder
function core.decoder(options) end

---@class rollcall.Decoder: userdata
local Decoder = {}

--- Takes bytes, which may end anywhere. An error is of kind "decode", with `code` and `offset`, and
--- stays; the records before it can still be taken. What is wrong with the last bytes may be found with those that
--- follow, or by `finish`.
---@param bytes string
---@return true? good
---@return rollcall.Error? err
function Decoder:feed(bytes) end

--- Says that the document ends here.
---@return true? good
---@return rollcall.Error? err
function Decoder:finish() end

--- The next whole record; nil for "feed me more"; nil and an error.
---@return rollcall.User? record
---@return rollcall.Error? err
function Decoder:next() end

--- The same with the values that a selection gives of the record, which is not made then. They may be nil.
---@param selection rollcall.Selection
---@return true? any
---@return any ... the values or, behind nil, the error
function Decoder:values(selection) end

--- A captured value, a scalar unless the decoder has `containers`; core.null for JSON null; nil where there was
--- none (yet). Raises for a pointer that is not among the captures.
---@param pointer string
---@param form "text"|"json"|nil "text" for a number, "json" for any value as it stands in the document
---@return any value
function Decoder:captured(pointer, form) end

--- How many records there were so far, taken or not.
---@return integer count
function Decoder:found() end

--- What the records begin with, by their ids: equal for the same records in the same order.
---@return integer count of the records in it, 16 at most
---@return string first a text for the first one
---@return string all a text for all of them, and for how many they are; never that of a first one
---@return integer waiting bytes that wait to be taken
function Decoder:opening() end

--- What stands at a pointer in the first or the last record found so far, taken or not; core.null for
--- JSON null; nil where nothing does. Objects and arrays are tables. For a decoder with `edges`.
---@param which "first"|"last"
---@param pointer string
---@param form "text"|"json"|nil "text" for a number, "json" for any value as it stands in the document
---@return any value
function Decoder:edge(which, pointer, form) end

--- A document of at most 16 KiB in which no items were, once `finish` has been called: what it says may tell why. Of
--- one that has something else in the array's place, as much as had come.
--- nil for any other.
---@return string? text
function Decoder:document() end

--- Gives its memory back at once, not when it is collected. Closing twice is harmless; any other
--- call raises then.
function Decoder:close() end

--- A type of records: what common field names mean for them, beside the fields of their own. The
--- table is copied; its values are JSON Pointers, functions of the record, or { constant }.
---@param common table<string, string|(fun(record: rollcall.User): any)|{ [1]: any }>
---@return table type
function core.record_type(common) end

--- Which values `values` gives of each record: for each rule one, as the rules of core.record_type give them. The
--- functions are called with the record, which is made only for them, and where the JSON of all is more than 1 KiB.
---@param rules (string|(fun(record: rollcall.User): any)|{ [1]: any })[] up to most_values; the list is copied
---@return rollcall.Selection
function core.selection(rules) end

--- How many values a selection gives at most.
---@type integer
core.most_values = nil

--- How many steps a JSON Pointer has at most.
---@type integer
core.most_steps = nil

--- What core.selection makes: it may serve any number of decoders.
---@class rollcall.Selection: userdata

--- See rollcall.json.
---@param record rollcall.User
---@return string
function core.json(record) end

--- See rollcall.totable.
---@param record rollcall.User
---@return table
function core.totable(record) end

--- See rollcall.pairs.
---@param record rollcall.User
---@return fun(table: table, key: any): any, any
---@return table
function core.pairs(record) end

--- See rollcall.at.
---@param record rollcall.User
---@param pointer string
---@return any
function core.at(record, pointer) end

--- On LuaJIT, for its FFI: pointers to C functions that read a field. rollcall.record_type stands on it.
---@type userdata?
core.reader = nil

--- A clock that never goes back.
---@return number seconds
function core.now() end

--- What is known of an error object: the metatable of all.
---@type table
core.error_metatable = nil

---@class rollcall.EngineOptions
---@field turn number? seconds after which Transfer:next answers nil once, for a loop to have its turn
---@field multiplex boolean? transfers share a connection where the server speaks HTTP/2, true by default. Not for
---  bodies of any length: what comes for a paused one is kept in memory then

--- Connections, and the transfers on them. One waits for it by core.wait, or has a loop do so that watches
--- `sockets` and keeps a timer of `timeout`. The same fd under another id is another socket, and an old watch
--- on it is void. After every call of `action`, `drive` or `request` of it, or of its transfers, the timeout is
--- to be asked again, and the sockets, where the second of `counters` has changed.
---@param options rollcall.EngineOptions?
---@return rollcall.Engine
function core.engine(options) end

---@class rollcall.Engine: userdata
local Engine = {}

---@class rollcall.RequestOptions
---@field method string? "GET"
---@field url string
---@field headers string[]? "Name: value"
---@field body string?
---@field ca_file string? PEM file
---@field client_cert string? PEM file
---@field client_key string? PEM file
---@field proxy string? URL; "" for none
---@field connect_timeout number? seconds, 5
---@field idle_timeout number? seconds without a byte, 60
---@field timeout number? seconds for all of it, none
---@field max_body integer? bytes, 4 GiB
---@field max_headers integer? bytes, 64 KiB
---@field max_collected integer? bytes that are kept of a body without a decoder, 1 MiB
---@field decoder rollcall.Decoder? is fed a 2xx body
---@field ledger rollcall.Ledger? what of its records is given
---@field watermark integer? bytes of records that may wait, 512 KiB
---@field fresh_connection boolean? none that was used before
---@field ticks boolean? next also answers nil every few milliseconds, for who reads to see to a budget

--- Begins a request. Raises where an option is wrong.
---@param options rollcall.RequestOptions
---@return rollcall.Transfer? transfer
---@return rollcall.Error? err
function Engine:request(options) end

--- Does what can be done without waiting.
function Engine:drive() end

--- Has whoever waits for it look again: the first of `counters` grows.
function Engine:notify() end

--- Closes it; what runs fails. Closing twice is harmless. Behind it `request` answers an error of kind "closed",
--- `counters` nil, `drive` and core.wait do nothing, and the others raise: a finalizer may close it at any time.
function Engine:close() end

--- Two that grow: with whatever a walk could find new, and with each change of the sockets. Nil once closed.
---@return integer? activity
---@return integer? sockets
function Engine:counters() end

--- What is to be watched: the list becomes fd, id and "r", "w" or "rw" of the first socket, then of the next.
---@param list any[] the caller's, to use again
---@return integer count of sockets
function Engine:sockets(list) end

--- Seconds until `drive` wants to be called; 0 is now, nil is never.
---@return number? seconds
function Engine:timeout() end

--- A socket is ready; after an error or hang-up on it, for both.
---@param fd integer
---@param events string with "r" or "w" in it, or both
function Engine:action(fd, events) end

--- Blocks until something has happened on one of them since the last such wait, or the time is over.
---@param engines rollcall.Engine[] at most 64
---@param seconds number? an hour by default
function core.wait(engines, seconds) end

---@class rollcall.Transfer: userdata
local Transfer = {}

--- The next record. Nil says that there may be something else to do: none waits, the ledger allows no more, the
--- last byte has arrived (once), it is the loop's turn, or a budget is to be looked at. After one of the last three a
--- record comes, if one waits.
---@return rollcall.User? record
function Transfer:next() end

--- The same with values of the record in its place, as Decoder:values gives them.
---@param selection rollcall.Selection
---@return true? any
---@return any ...
function Transfer:values(selection) end

--- Is the body another one than that which its ledger knows?
---@return boolean
function Transfer:conflict() end

--- Does a record wait? next gives it, if not at the first call.
---@return boolean
function Transfer:waits() end

--- Has it ended, well or not?
---@return boolean
function Transfer:done() end

--- Why there is no whole answer: "network", "timeout", "tls", "too_large", "proxy" (that refuses to tunnel),
--- "bad_encoding" (of a compressed body), "refused" or "no_memory", and a line about it. Nil where nothing failed, or
--- it runs.
---@return string? name
---@return string? line
---@return integer? status of the proxy that refuses
function Transfer:failure() end

--- The HTTP status, once the headers are in.
---@return integer?
function Transfer:status() end

--- A header's value; those of a repeated one joined by ", ".
---@param name string in any case
---@return string?
function Transfer:header(name) end

--- The answer's header lines as they came, the status line first; "" before they are in.
---@return string
function Transfer:headers() end

--- The collected body.
---@return string body
---@return boolean was_cut
function Transfer:body() end

--- What it has cost so far.
---@return integer bytes on the wire
---@return number seconds
function Transfer:usage() end

--- Ends it. The methods above raise then.
function Transfer:cancel() end

---@class rollcall.LedgerOptions
---@field id string JSON Pointer, in a record, of what it is known again by
---@field saved string? what `save` gave

--- What of a page was given, so that none is given twice where the page is fetched again. Nil where what was
--- saved is not whole.
---@param options rollcall.LedgerOptions
---@return rollcall.Ledger?
function core.ledger(options) end

---@class rollcall.Ledger: userdata
local Ledger = {}

--- A body of the page comes, from its first byte on.
function Ledger:begin_body() end

--- How many records were given.
---@return integer
function Ledger:given() end

--- Is the body, which has ended, too short to tell what was given?
---@return boolean
function Ledger:short() end

--- Sets how many records may be given in all.
---@param count integer
function Ledger:allow(count) end

--- Is this record to be given? It counts as given then. Nil where that cannot be told.
---@param record rollcall.User
---@return boolean?
function Ledger:take(record) end

--- What was given, as a text for `saved`.
---@param most integer beyond so many records a fingerprint stands for them
---@param less_last boolean? as it was before the user given last
---@return string
function Ledger:save(most, less_last) end

--- A set of texts.
---@return rollcall.Seen
function core.seen() end

---@class rollcall.Seen: userdata
local Seen = {}

--- Adds a text; false where it is there already.
---@param text string
---@return boolean
function Seen:add(text) end

--- Is the text there?
---@param text string
---@return boolean
function Seen:has(text) end

--- A file descriptor of one's own for what another one stands for: a loop that watches it does not watch another
--- file by mistake when libcurl has closed its socket.
---@param fd integer
---@return rollcall.Descriptor? descriptor
---@return string? problem
function core.duplicate(fd) end

---@class rollcall.Descriptor: userdata
local Descriptor = {}

--- Nil once it is closed.
---@return integer?
function Descriptor:number() end

--- Closing twice is harmless.
function Descriptor:close() end

--- Says what JSON null is from now on, for a JSON library that has another sentinel.
---@param value any nil: that of the start
function core.set_null(value) end

--- One descriptor that stands for several sockets, for loops: it is readable while one of them is ready, and is
--- the loop's own, where a socket is libcurl's to close. On Linux only; elsewhere `core.poller` is nil.
---@return rollcall.Poller? poller
---@return string? problem
function core.poller() end

---@class rollcall.Poller: userdata
local Poller = {}

--- Nil once it is closed.
---@return integer? fd
function Poller:number() end

--- Watches the sockets of a list as Engine:sockets fills it, and no others.
---@param list any[]
---@return true? good
---@return string? problem
function Poller:watch(list) end

--- Closing twice is harmless.
function Poller:close() end

--- Can the function that runs yield? Not where a function in C has called it, nor outside of coroutines. nginx's own
--- table of coroutines does not say.
---@return boolean
function core.can_yield() end

--- The sentinel of JSON null: the NULL light userdata, which is cjson.null.
---@type lightuserdata
core.null = nil

--- What the command line needs of its terminal and of signals, of which none is touched before it is asked for.
---@type table
core.terminal = {}

--- Is this file descriptor a terminal?
---@param fd integer
---@return boolean
function core.terminal.is_terminal(fd) end

--- How many columns the terminal has; nil where it is none or does not say.
---@param fd integer
---@return integer? columns
function core.terminal.columns(fd) end

--- From now on SIGINT, SIGTERM and SIGHUP end a wait and are told by `caught`; the second one of a kind
--- kills. One that is ignored stays so.
function core.terminal.catch() end

--- From now on the signals of `catch` kill again. One that came before is still told by `caught`.
function core.terminal.release() end

--- From now on SIGINT ends the process, whatever the interpreter made of it.
function core.terminal.default() end

--- From now on a write to a closed pipe, or beyond the largest size of files, fails and does not kill.
function core.terminal.fail_writes() end

--- What is closed of stdin, stdout and stderr is /dev/null from now on, so that no socket and no file gets
--- its number. To read or write it fails, as before.
function core.terminal.occupy() end

--- This process becomes another program, with the same files and environment. Answers only where that fails.
---@param program string its path
---@param ... string its arguments
---@return nil
---@return string problem
function core.terminal.replace(program, ...) end

--- Cuts a file that is open; false for what is none, such as a pipe.
---@param fd integer
---@param length integer bytes that stay
---@return boolean
function core.terminal.truncate(fd, length) end

--- Makes a file in the folder of `path` that has the text, to be renamed to it. Its name is one that nobody can know
--- before. Only its owner may read and write it, and not what the owner may not with `path`, where that is there.
---@param path string
---@param text string
---@return string? name
---@return string? problem
function core.terminal.beside(path, text) end

--- The signal that came, once, and the status that a shell gives to it; nil for none.
---@return "INT"|"TERM"|"HUP"|nil name
---@return integer? status
function core.terminal.caught() end

return core
