// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import Testing

@testable import KernelBackend

/// The data of a send, rebuilt from an event.
@Suite struct SendBufferTests {
    private func buffer(_ pieces: [epitope_piece], _ payload: [UInt8]) -> SendBuffer {
        payload.withUnsafeBufferPointer { SendBuffer(pieces, payload: $0) }
    }

    @Test func `pieces belong to their messages`() {
        let payload = [UInt8](0..<100)
        let found = buffer(
            [
                epitope_piece(address: 0x1000, length: 2, payload_offset: 0, copied_length: 2, message: 0, unused: 0),
                epitope_piece(address: 0x2000, length: 3, payload_offset: 2, copied_length: 3, message: 0, unused: 0),
                epitope_piece(address: 0x3000, length: 70, payload_offset: 5, copied_length: 10, message: 4, unused: 0),
            ], payload)
        #expect(
            found.messages == [
                [.init(address: 0x1000, length: 2, bytes: [0, 1]), .init(address: 0x2000, length: 3, bytes: [2, 3, 4])],
                [.init(address: 0x3000, length: 70, bytes: [UInt8](5..<15))],
            ])
        #expect(found.contains(code: [1, 2, 3]), "over two pieces of one message")
        #expect(!found.contains(code: [4, 5]), "not over two messages")
        #expect(found.contains(callersAddress: 0x3000 + 70), "also where nothing was copied")
    }

    /// Offsets and lengths of an event are limited to its payload.
    @Test func `places beyond the payload are cut off`() {
        let found = buffer(
            [epitope_piece(address: 1, length: 9, payload_offset: .max, copied_length: .max, message: 0, unused: 0)], [1, 2, 3])
        #expect(found.messages == [[.init(address: 1, length: 9, bytes: [])]])
        #expect(buffer([], []).messages.isEmpty)
    }
}
