// SPDX-License-Identifier: Apache-2.0

import CPostgres
import FoundationEssentials

/// The rows that a statement returned.
public final class PostgresResult {
    private let library: epitope_libpq
    private let handle: OpaquePointer
    public let columns: [String]
    public let rowCount: Int
    private let types: [UInt32]

    /// Takes the result over.
    init(_ handle: OpaquePointer, _ library: epitope_libpq) {
        self.handle = handle
        self.library = library
        let count = library.columns(handle)
        columns = (0..<count).map { library.column_name(handle, $0).map { String(cString: $0) } ?? "" }
        types = (0..<count).map { library.column_type(handle, $0) }
        rowCount = Int(library.rows(handle))
    }

    deinit { library.clear(handle) }

    /// The command that was carried out, such as `COMMIT`.
    var commandStatus: String { library.command_status(handle).map { String(cString: $0) } ?? "" }

    /// How many rows the statement inserted, changed, deleted or returned.
    var changes: Int { library.changed_rows(handle).flatMap { Int(String(cString: $0)) } ?? 0 }

    /// - Throws: a column of a type that no column of a store has.
    public func value(_ row: Int, _ column: Int) throws(PostgresFailure) -> PostgresValue {
        let (row, place) = (Int32(row), Int32(column))
        guard library.is_null(handle, row, place) == 0, let start = library.value(handle, row, place) else { return .null }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(library.length(handle, row, place)))
        func number<Number: FixedWidthInteger>(_ type: Number.Type) -> Number {
            Number(bigEndian: bytes.count == MemoryLayout<Number>.size ? bytes.loadUnaligned(as: type) : 0)
        }
        switch types[column] {
        case TypeNumber.int8: return .integer(number(Int64.self))
        case TypeNumber.text, TypeNumber.varchar, TypeNumber.name, TypeNumber.unknown: return .text(String(decoding: bytes, as: UTF8.self))
        case TypeNumber.bytes: return .bytes(Data(bytes))
        case TypeNumber.boolean: return .integer(bytes.first == 1 ? 1 : 0)
        case TypeNumber.float8: return .real(Double(bitPattern: number(UInt64.self)))
        case TypeNumber.int4: return .integer(Int64(number(Int32.self)))
        case TypeNumber.int2: return .integer(Int64(number(Int16.self)))
        case TypeNumber.xid8: return .integer(number(Int64.self))
        default: throw .damaged(message: "column \(columns[column]) has the type \(types[column]), which no column of a store has")
        }
    }
}
