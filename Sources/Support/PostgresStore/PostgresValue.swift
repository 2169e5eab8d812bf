// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials

/// A value of a statement's argument, or of a row's column.
public enum PostgresValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case bytes(Data)
    /// As an argument only: `CAST(? AS BIGINT[])` and so on, for `= ANY (...)` and `unnest(...)`.
    case integers([Int64?])
    case reals([Double])
    case texts([String?])
    case byteStrings([Data?])
}

/// PostgreSQL's numbers of types (`pg_type.oid`), as far as the store's columns have them.
enum TypeNumber {
    static let boolean: UInt32 = 16
    static let bytes: UInt32 = 17
    static let name: UInt32 = 19
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let float8: UInt32 = 701
    static let unknown: UInt32 = 705
    static let varchar: UInt32 = 1043
    static let xid8: UInt32 = 5069
}

/// The arguments of a statement as they go to the server: numbers and texts as text, whose type the server takes from where they
/// stand; bytes and arrays in binary form.
struct EncodedArguments {
    private(set) var buffer: [UInt8] = []
    /// Where each begins in the buffer; `nil`: NULL.
    private(set) var starts: [Int?] = []
    private(set) var lengths: [Int32] = []
    private(set) var formats: [Int32] = []

    init(_ values: [PostgresValue]) {
        for value in values { append(value) }
        // So that the buffer has an address, also where all arguments are empty.
        buffer.append(0)
    }

    private mutating func append(_ value: PostgresValue) {
        let start = buffer.count
        var isBinary = true
        switch value {
        case .null:
            starts.append(nil)
            lengths.append(0)
            return formats.append(0)
        case .integer(let number): isBinary = appendText(String(number))
        case .real(let number): isBinary = appendText(number.description)
        case .text(let text): isBinary = appendText(text)
        case .bytes(let bytes): buffer += bytes
        case .integers(let numbers): appendArray(of: TypeNumber.int8, numbers) { $0.appendNumber($1) }
        case .reals(let numbers): appendArray(of: TypeNumber.float8, numbers) { $0.appendNumber($1.bitPattern) }
        case .texts(let texts): appendArray(of: TypeNumber.text, texts) { $0.appendCharacters($1) }
        case .byteStrings(let strings): appendArray(of: TypeNumber.bytes, strings) { $0.buffer += $1 }
        }
        starts.append(start)
        lengths.append(Int32(buffer.count - start))
        formats.append(isBinary ? 1 : 0)
    }

    /// - Returns: `false`: it is not binary.
    private mutating func appendText(_ text: String) -> Bool {
        appendCharacters(text)
        buffer.append(0)
        return false
    }

    /// PostgreSQL's texts can't hold the character zero, which what comes from hosts may: it becomes the replacement character.
    private mutating func appendCharacters(_ text: String) {
        if text.utf8.contains(0) {
            buffer += text.replacing("\0", with: "\u{FFFD}").utf8
        } else {
            buffer += text.utf8
        }
    }

    private mutating func appendNumber<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.bigEndian) { buffer += $0 }
    }

    /// The binary form of an array of one dimension (`array_send` in PostgreSQL's source).
    private mutating func appendArray<Element>(
        of type: UInt32, _ elements: [Element?], append: (inout EncodedArguments, Element) -> Void
    ) {
        appendNumber(Int32(elements.isEmpty ? 0 : 1))
        appendNumber(Int32(1))
        appendNumber(type)
        guard !elements.isEmpty else { return }
        appendNumber(Int32(elements.count))
        appendNumber(Int32(1))
        for element in elements {
            guard let element else {
                appendNumber(Int32(-1))
                continue
            }
            let place = buffer.count
            appendNumber(Int32(0))
            append(&self, element)
            withUnsafeBytes(of: Int32(buffer.count - place - 4).bigEndian) { buffer.replaceSubrange(place..<place + 4, with: $0) }
        }
    }
}
