// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SwiftProtobuf

/// Checks that all readers share. `field` is the field's name in the schema, for the error.
enum Wire {
    /// Decodes a message that is no longer than its bound. Fields that this version does not know are ignored.
    static func decode<M: Message>(_ type: M.Type, _ bytes: [UInt8], name: String, max: Int) throws(EpitopeError) -> M {
        guard bytes.count <= max else { throw .tooLarge(name, bytes: bytes.count, max: max) }
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        options.messageDepthLimit = 16
        do {
            return try M(serializedBytes: bytes, options: options)
        } catch {
            throw .malformed("the \(name)", "is not a valid message of \(bytes.count) bytes: truncated or damaged")
        }
    }

    /// Encodes a message.
    static func encode(_ message: some Message) -> [UInt8] {
        do {
            return try message.serializedBytes()
        } catch {
            // proto3 has no required fields and the schema has no `Any`: only a message of 2 GiB could fail, far above the
            // bounds of what is written. Every reader refuses an empty message.
            return []
        }
    }

    static func text(_ text: String, _ field: String, max: Int) throws(EpitopeError) -> String {
        guard text.utf8.count <= max else { throw .malformed(field, "has \(text.utf8.count) bytes, at most \(max) are allowed") }
        return text
    }

    static func count(_ count: Int, _ field: String, max: Int) throws(EpitopeError) {
        guard count <= max else { throw .malformed(field, "has \(count) elements, at most \(max) are allowed") }
    }

    /// This many lower-case hexadecimal digits.
    static func hex(_ text: String, _ field: String, digits: Int) throws(EpitopeError) -> String {
        guard isHex(text, digits: digits) else { throw .malformed(field, "is not \(digits) lower-case hexadecimal digits") }
        return text
    }

    static func isHex(_ text: String, digits: Int) -> Bool {
        text.utf8.count == digits
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    static func milliseconds(_ value: Int64, _ field: String) throws(EpitopeError) -> Int64 {
        guard (0...Bounds.latestMilliseconds).contains(value) else { throw .malformed(field, "is not a time between 1970 and 9999") }
        return value
    }

    static func port(_ value: UInt32, _ field: String) throws(EpitopeError) -> UInt16 {
        guard let port = UInt16(exactly: value) else { throw .malformed(field, "is \(value), not a port") }
        return port
    }

    /// A value of an enum that this version knows.
    static func known<Value>(_ value: Value?, _ field: String) throws(EpitopeError) -> Value {
        guard let value else { throw .malformed(field, "is absent, or a value that this version does not know") }
        return value
    }

    static func identityName(_ text: String, _ field: String) throws(EpitopeError) -> String {
        guard Identity.isValidName(text) else { throw .malformed(field, "is not 1 to 64 characters out of a-z A-Z 0-9 . _ -") }
        return text
    }
}
