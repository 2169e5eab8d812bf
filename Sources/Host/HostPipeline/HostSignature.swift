// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProcessContext
import Signatures

/// What a host's goodware index says of windows of 32 bytes: by their start, whether it proves each one absent; `nil` where it can't be
/// used now. Without an index nothing is asked.
public typealias AbsentWindows = @Sendable ([UInt8]) -> [Bool]?

/// Chooses a host's own signature by what is unique.
struct HostSignatureChoice: Sendable {
    /// What came of it.
    enum Outcome: Hashable, Sendable {
        case window(ArraySlice<UInt8>)
        /// Every window of the code is held by something, or fill.
        case nothingUnique
        /// It can't be known here: the images of the process can't be read as a whole, or the index can't be asked.
        case unknowable
    }

    /// `nil`: there is no index.
    let absentWindows: AbsentWindows?

    func choose(from code: ExtractedCode, callersAddress: UInt64, length: Int, images: ProcessImages?) -> Outcome {
        guard let caller = code.offset(of: callersAddress) else { return .nothingUnique }
        guard let images else { return .unknowable }
        var search = WindowSearch(code.bytes, length: length)
        guard images.read(overlap: length - 1, { search.look(in: $0) }) else { return .unknowable }
        var isHeld = search.isHeld
        if let absentWindows {
            guard let absent = absentWindows(code.bytes) else { return .unknowable }
            isHeld = UniqueWindow.held(isHeld, absent: absent, length: length)
        }
        guard let unique = UniqueWindow(in: code.bytes, caller: caller, length: length, isHeld: isHeld) else { return .nothingUnique }
        return .window(code.bytes[unique.start..<unique.start + length])
    }
}
