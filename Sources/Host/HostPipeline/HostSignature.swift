// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProcessContext
import Scheduling
import Signatures

/// How a host chooses the bytes of a signature that it sends instead of code.
public enum HostSignature: String, Hashable, Sendable, CaseIterable {
    /// The window that ends at the caller's address.
    case caller
    /// The window nearest to it that no image of the process holds, and no file of the host's goodware index.
    case unique
}

/// What a host's goodware index says of windows of 32 bytes: by their start, whether it proves each one absent; `nil` where it can't be
/// used now. Without an index nothing is asked.
public typealias AbsentWindows = @Sendable ([UInt8]) -> [Bool]?

/// Chooses a host's own signature by what is unique.
struct HostSignatureChoice: Sendable {
    /// Shorter strings than this can't be proven absent by an index, in bytes.
    static let indexWindow = 32

    /// `nil`: there is no index.
    let absentWindows: AbsentWindows?

    /// - Returns: `nil` where it can't be known what is unique, or nothing is: then the caller window stands.
    func window(of code: ExtractedCode, callersAddress: UInt64, length: Int, images: ProcessImages?) -> ArraySlice<UInt8>? {
        guard let caller = code.offset(of: callersAddress), let images else { return nil }
        var search = WindowSearch(code.bytes, length: length)
        guard images.read(overlap: length - 1, { search.look(in: $0) }) else { return nil }
        var isHeld = search.isHeld
        if let absentWindows {
            guard let absent = absentWindows(code.bytes) else { return nil }
            isHeld = Self.held(isHeld, absent: absent, length: length)
        }
        guard let unique = UniqueWindow(in: code.bytes, caller: caller, length: length, isHeld: isHeld) else { return nil }
        return code.bytes[unique.start..<unique.start + length]
    }

    /// A window is absent if a part of it is; one that is shorter than what the index can tell is never proven to be.
    static func held(_ isHeld: [Bool], absent: [Bool], length: Int) -> [Bool] {
        let parts = length - indexWindow + 1
        return isHeld.indices.map { start in
            guard !isHeld[start], parts > 0, start + parts <= absent.count else { return true }
            return !absent[start..<start + parts].contains(true)
        }
    }
}
