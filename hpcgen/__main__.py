from hpcgen.cli import main

main()
