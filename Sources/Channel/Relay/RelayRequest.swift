// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// What a host asks a relay for: a connection to a center (`CONNECT`, RFC 9110, 9.3.6). Of anything else nothing is passed on.
struct RelayRequest: Hashable {
    /// Why a request is turned down, with the status that says so.
    enum Refusal: Int, Hashable, CaseIterable {
        case malformed = 400
        case otherCenter = 403
        case otherMethod = 405
        case tooSlow = 408
        case tooLong = 431
        case unreachable = 502
        case full = 503

        var reason: String {
            switch self {
            case .malformed: "this is no request to a relay"
            case .otherCenter: "this relay does not lead there"
            case .otherMethod: "a relay takes CONNECT alone"
            case .tooSlow: "the request did not come in time"
            case .tooLong: "the request is too long"
            case .unreachable: "the center can not be reached from the relay"
            case .full: "the relay has no room for another connection"
            }
        }

        /// The answer, after which the connection is closed.
        var answer: String {
            "HTTP/1.1 \(rawValue) \(reason)\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        }
    }

    enum Reading: Hashable {
        case incomplete
        case refused(Refusal)
        /// The center that is asked for, and how many bytes the request has.
        case center(CenterAddress, length: Int)
    }

    /// The answer to a request that is granted.
    static let granted = "HTTP/1.1 200 connected\r\n\r\n"
    /// Of a request's head, in bytes.
    static let maxLength = 4096

    /// - Parameters:
    ///   - bytes: what came so far.
    ///   - centers: those that the relay leads to.
    static func read(_ bytes: some RandomAccessCollection<UInt8>, centers: [CenterAddress]) -> Reading {
        let head = Array(bytes.prefix(maxLength))
        let end: [UInt8] = [13, 10, 13, 10]
        guard let last = head.indices.first(where: { head[$0...].starts(with: end) }) else {
            // A TLS handshake without a request, or the like, is told at its first byte.
            guard head.prefix(1).allSatisfy({ (65...90).contains($0) }) else { return .refused(.malformed) }
            return bytes.count >= maxLength ? .refused(.tooLong) : .incomplete
        }
        let line = String(decoding: head[..<last].prefix { $0 != 13 }, as: UTF8.self)
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { return .refused(.malformed) }
        guard words[0] == "CONNECT" else { return .refused(.otherMethod) }
        // A port must be given: none is usual there.
        guard let colon = words[1].lastIndex(of: ":"), UInt16(words[1][words[1].index(after: colon)...]) != nil,
            let asked = try? CenterAddress("https://" + words[1])
        else { return .refused(.malformed) }
        guard let center = centers.first(where: { $0.isSame(as: asked) }) else { return .refused(.otherCenter) }
        return .center(center, length: last + end.count)
    }
}

extension CenterAddress {
    /// By their names: what they lead to doesn't count.
    fileprivate func isSame(as other: CenterAddress) -> Bool {
        guard port == other.port else { return false }
        if let own = IPAddress(host) { return own == IPAddress(other.host) }
        return host.lowercased() == other.host.lowercased()
    }
}
