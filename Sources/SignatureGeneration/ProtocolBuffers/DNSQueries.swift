// SPDX-License-Identifier: Apache-2.0

import Signatures

/// The names that DNS queries ask for (RFC 1035, section 4.1).
enum DNSQueries {
    /// Suricata looks for DNS at this port only.
    static let port: UInt16 = 53
    /// In bytes: Suricata reads no longer name.
    static let maxName = 1024
    private static let maxQuestions = 16
    private static let maxPointers = 16

    /// - Parameter isStream: over TCP, each message behind its length.
    static func each(in bytes: [UInt8], isStream: Bool, _ body: (BufferedBytes) -> Bool) {
        guard isStream else {
            _ = each(in: bytes[...], body)
            return
        }
        var rest = bytes[...]
        while rest.count > 2 {
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            guard rest.count >= 2 + length, each(in: rest.dropFirst(2).prefix(length), body) else { return }
            rest = rest.dropFirst(2 + length)
        }
    }

    /// - Returns: whether to go on.
    private static func each(in message: ArraySlice<UInt8>, _ body: (BufferedBytes) -> Bool) -> Bool {
        let start = message.startIndex
        // A standard query: neither an answer nor another operation.
        guard message.count > 12, message[start + 2] & 0xf8 == 0 else { return true }
        let questions = Int(message[start + 4]) << 8 | Int(message[start + 5])
        var place = start + 12
        for _ in 0..<min(questions, maxQuestions) {
            guard let (name, labels, end) = name(in: message, at: place), end + 4 <= message.endIndex else { return true }
            if labels > 0, !body(BufferedBytes(buffer: .dnsQuery, bytes: name, isTransformed: labels > 1)) { return false }
            place = end + 4
        }
        return true
    }

    /// The labels of a name with dots between them, how many they are, and where the name ends; `nil` for one that has no end.
    private static func name(in message: ArraySlice<UInt8>, at place: Int) -> (bytes: [UInt8], labels: Int, end: Int)? {
        var name: [UInt8] = []
        var (place, end, labels, pointers) = (place, Int?.none, 0, 0)
        while place < message.endIndex {
            let length = Int(message[place])
            switch length {
            case 0: return (name, labels, end ?? place + 1)
            case 1..<64:
                guard place + 1 + length <= message.endIndex, name.count + length < maxName else { return nil }
                if labels > 0 { name.append(UInt8(ascii: ".")) }
                name += message[place + 1..<place + 1 + length]
                labels += 1
                place += 1 + length
            case 192...:
                guard place + 1 < message.endIndex, pointers < maxPointers else { return nil }
                end = end ?? place + 2
                pointers += 1
                place = message.startIndex + ((length & 0x3f) << 8 | Int(message[place + 1]))
            default: return nil
            }
        }
        return nil
    }
}
