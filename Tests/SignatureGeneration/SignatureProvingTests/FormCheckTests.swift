// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures
import TestSupport
import Testing

@testable import SignatureProving

@Suite("The checks of a signature's form")
struct FormCheckTests {
    private let prover = SignatureProver(ProverMaterial(goodware: nil, isGoodwareRequired: false))

    private func signature(_ tokens: [Signature.Token]) -> Signature {
        Signature(tokens: tokens, context: .any)
    }

    private func failed(_ signature: Signature) -> [Proof.Check.Name] {
        prover.proof(of: signature).checks.filter { $0.outcome == .failed }.map(\.name)
    }

    private func sample(_ bytes: [UInt8]) -> Sample {
        Sample(
            code: ExtractedCode(base: 0x1000, bytes: bytes, isWholeRegion: true), callersAddress: 0x1000 + UInt64(bytes.count),
            architecture: .x86_64, context: .any)
    }

    @Test func `the checks of a proof are in the order of the list`() {
        let checks = prover.proof(of: signature([.init(bytes: Samples.callerWindow)])).checks.map(\.name)
        #expect(checks.starts(with: [.wellFormed, .longEnough, .notFill, .notText]))
        #expect(checks == Proof.Check.Name.inOrder.filter(checks.contains))
        #expect(Set(Proof.Check.Name.inOrder).count == Proof.Check.Name.inOrder.count)
    }

    @Test func `a caller window passes without its packets`() {
        let checks = FormChecks.checks(of: signature([.init(bytes: Samples.callerWindow)]))
        #expect(checks.map(\.name) == [.wellFormed, .longEnough, .notFill, .notText])
        #expect(checks.allSatisfy { $0.outcome == .passed })
    }

    @Test func `a malformed signature gets no other check`() {
        let malformed = signature([.init(bytes: Samples.callerWindow, gap: -1...4)])
        #expect(prover.proof(of: malformed).checks.map(\.name) == [.wellFormed])
        #expect(prover.prove([sample([1, 2, 3])], given: malformed).proven.isEmpty)
    }

    @Test func `fill and padding are never proven`() {
        for fill: [UInt8] in [[0], [0x90], [0xcc], [1, 2, 3, 4, 5, 6, 7]] {
            let bytes = (0..<32).map { fill[$0 % fill.count] }
            #expect(failed(signature([.init(bytes: bytes)])) == [.notFill])
        }
    }

    @Test func `text is never proven`() {
        for form in TextForms.all(of: "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n") {
            #expect(failed(signature([.init(bytes: Array(form.prefix(60)))])).contains(.notText))
            #expect(failed(signature([.init(bytes: Samples.callerWindow), .init(bytes: Array(form.prefix(40)))])) == [.notText])
        }
    }

    @Test func `a short signature fails`() {
        #expect(failed(signature([.init(bytes: Array(Samples.callerWindow.prefix(15)))])) == [.longEnough])
    }

    @Test func `a given signature that matches no packet of the cluster is not proven`() {
        let own = signature([.init(bytes: Samples.callerWindow)])
        #expect(prover.prove([sample(Samples.code.bytes)], given: own).proven.first?.signature == own)
        let foreign = prover.prove([sample([1, 2, 3])], given: own)
        #expect(foreign.proven.isEmpty)
        #expect(foreign.failed?.proof.passed == false)
    }

    @Test(arguments: [true, false])
    func `an update of the global center needs its proof to have passed there`(passedThere: Bool) {
        let update = SignatureUpdate(
            signature: signature([.init(bytes: Samples.callerWindow)]), revision: 1, origin: .global(sequence: 1),
            createdMilliseconds: 0, lifetimeDays: 1, proof: Proof(checks: [Proof.Check(.cost, passed: passedThere, "")]))
        let proof = prover.proof(of: update)
        #expect(proof.checks.last?.name == .provenByGlobalCenter)
        #expect(proof.passed == passedThere)
    }

    @Test func `an update of the global center keeps what its packets showed there`() {
        func proof(_ checks: [Proof.Check]) -> Proof {
            prover.proof(
                of: SignatureUpdate(
                    signature: signature([.init(bytes: Samples.callerWindow)]), revision: 1, origin: .global(sequence: 1),
                    createdMilliseconds: 0, lifetimeDays: 1, proof: Proof(checks: checks)))
        }
        #expect(proof([Proof.Check(.cost, .passed, ""), Proof.Check(.atTheCall, .passed, "")]).check(.atTheCall)?.outcome == .passed)
        #expect(proof([Proof.Check(.cost, .passed, "")]).check(.atTheCall) == nil)
    }
}
