# Run a study, add a learning rate, run it again, and show what changed.
# From the project's root: sh examples/compare/compare.sh
set -e
before=$(mktemp)

snakemake --cores all --configfile examples/compare/study.yaml
cp results-compare/best.csv "$before"

# only the cells of the added rate train
snakemake --cores all --configfile examples/compare/study.yaml --config 'grid={lr: [0.03, 0.1, 0.3]}'
diff -u "$before" results-compare/best.csv || test $? = 1 # 1 says that they differ
rm "$before"
