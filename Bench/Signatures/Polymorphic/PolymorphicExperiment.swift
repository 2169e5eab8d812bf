// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport

struct PolymorphicExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "polymorphic", abstract: "Signatures of polymorphic streams: missed variants and hits on benign streams.")

    @Option(help: "The folder of captures that Bench/Signatures/benign-traffic made; without it the benign streams are generated.")
    var captures: String?
    @Option(help: "How many MiB of the machine's own files signatures are sought in; 0: none.")
    var files = 200
    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Option(help: "Trials of fewer samples than this are in the table, and left out of the keys fn and fp.")
    var minSamples = 5
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    func run() async throws {
        if captures != nil { Report.progress("reading the captures") }
        let traffic =
            try captures.map { try BenignTraffic(captures: $0, maxStreams: quick ? 1500 : 8000, seed: seed) }
            ?? BenignTraffic(
                SyntheticTraffic.streams(quick ? 1000 : 4000, seed: seed), origin: "GENERATED HERE, not real: no captures were given",
                seed: seed)
        let laboratory = Laboratory(traffic: traffic, variants: quick ? 200 : 1000, seed: seed)
        let machine = files > 0 ? MachineFiles(mebibytes: quick ? min(files, 20) : files, seed: seed) : nil
        Report.line("Benign streams (\(traffic.origin))")
        Report.line("  the generator may see: \(BenignTraffic.summary(traffic.training))")
        Report.line("  false positives are counted on: \(BenignTraffic.summary(traffic.heldOut))")
        Report.line("  noise is drawn from: \(BenignTraffic.summary(traffic.noise))")

        let sizes = SampleSizes.run(
            laboratory, sizes: quick ? [2, 5, 10, 20] : [2, 3, 5, 10, 20, 50, 100], minSamples: minSamples, noiseShare: 0.5, files: machine)
        let noise = NoiseExperiment.run(
            laboratory, attackSamples: quick ? 10 : 20, shares: quick ? [0, 30, 50, 80] : [0, 10, 20, 30, 40, 50, 60, 70, 80])
        let misled = MisleadingExperiment.run(laboratory, attackSamples: quick ? 10 : 20)
        let allergy = AllergyExperiment.run(laboratory, attackSamples: 10)
        Report.progress("all signatures in all files of the machine")
        let inFiles = try laboratory.signatures.hits(below: quick ? "/usr/bin" : "/usr")

        Report.remark(
            """
            Keys, in percent, the worst of all attacks: fn, fp from \(minSamples) samples on; fn2, fp2 with 2 samples, too; noise50
              over every kind of noise up to 50 %, noise80 up to 80 %; misled over all attempts to mislead, misled_again after
              some missed variants came in, benign_poisoned with the attack itself in the benign pool; files_hit counts
              signatures that hit a file of the machine, files_hit_unprovable those that are too short to be delivered.
            """)
        func figure(_ value: Double) -> String { Report.decimal(value, digits: value == 0 ? 0 : 4) }
        Report.keys([
            ("fn", figure(sizes.enough.missed)), ("fp", figure(sizes.enough.hit)),
            ("fn2", figure(sizes.all.missed)), ("fp2", figure(sizes.all.hit)),
            ("noise50_fn", figure(noise.upToHalf.missed)), ("noise50_fp", figure(noise.upToHalf.hit)),
            ("noise80_fn", figure(noise.all.missed)), ("noise80_fp", figure(noise.all.hit)),
            ("misled_fn", figure(misled.first.missed)), ("misled_fp", figure(misled.first.hit)),
            ("misled_again_fn", figure(misled.again.missed)), ("misled_again_fp", figure(misled.again.hit)),
            ("benign_poisoned_fn", figure(misled.benignPoisoned.missed)), ("benign_poisoned_fp", figure(misled.benignPoisoned.hit)),
            ("files_hit", "\(inFiles.provable)"), ("files_hit_unprovable", "\(inFiles.all - inFiles.provable)"),
            ("allergy_wire_delivered", "\(allergy.delivered)"), ("allergy_advanced_hits", "\(allergy.advancedHits)"),
        ])
    }
}
